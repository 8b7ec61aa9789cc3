"""Variables in the texts of a file: put in once, shaped as the setting needs them, and never shown where secret."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sockudo.config.effective import effective
from sockudo.config.interpolation import escaped, interpolate
from tests.clients.client import ApiClient, PusherClient
from tests.servers.server import app, clean_environ, server_process

from .conftest import Load, Problems, document_with

HOOK: dict[str, Any] = {"url": "https://x.io/hook", "event_types": ["member_added"]}
IDENTITY: dict[str, Any] = {"id": "a", "key": "k", "secret": "s"}
SECRET = "TOPSECRET"


def with_app(**more: Any) -> dict[str, Any]:
    return {"app_manager": {"array": {"apps": [IDENTITY | more]}}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "one"),
        ("x${A}y${B}z", "xoneytwoz"),
        ("${MISSING:-three}", "three"),
        ("${EMPTY:-three}", "three"),
        ("${A:-three}", "one"),
        ("x${MISSING:-}", "x"),
        ("${MISSING:-a b:-c $ d}", "a b:-c $ d"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A $ {A} $", "$A $ {A} $"),
        ("${NESTED}", "${A} $${B}"),
        ("${MISSING:-x}}", "x}"),
        ("${BLANKS}", "x"),
    ],
)
def test_variables_are_put_in_once(text: str, value: str) -> None:
    environ = {"A": "one", "B": "two", "EMPTY": "", "NESTED": "${A} $${B}", "BLANKS": " x\n"}
    document = {"here": text, "list": [{"deep": text}]}

    interpolate(document, environ)

    assert document == {"here": value, "list": [{"deep": value}]}


@pytest.mark.parametrize(
    "text",
    ["${", "${}", "a${A", "${A-x}", "${A:x}", "${A:?x}", "${1A}", "${A B}", "${A:-${B}}", "${\u00fc}", "${A:-{}}"],
)
def test_a_mark_that_is_no_variable_is_refused_unquoted(text: str, problems_of: Problems) -> None:
    (problem,) = problems_of(with_app(secret=f"{SECRET}{text}{SECRET}"), {"A": "one", "B": "two"})

    assert problem.startswith("app_manager.array.apps[0].secret: has a ${ that is no variable: write ${NAME}")
    assert SECRET not in problem


def test_all_missing_variables_are_listed_in_one_error(problems_of: Problems) -> None:
    document = with_app(secret="${S}", key="${K}") | {"port": "${PORT_OF_IT}", "unknown": {"x": ["${U}"]}}

    assert [problem.partition("; ")[0] for problem in problems_of(document)] == [
        "app_manager.array.apps[0].key: the variable K is not set",
        "app_manager.array.apps[0].secret: the variable S is not set",
        "port: the variable PORT_OF_IT is not set",
        "unknown.x[0]: the variable U is not set",
    ]


def test_texts_become_what_the_setting_needs(load_document: Load) -> None:
    document = with_app(
        max_connections="${LIMIT}",
        enable_client_messages="${FLAG}",
        allowed_origins="${ORIGINS}",
        policy={"features": {"enable_user_authentication": "${FLAG}"}, "limits": {"max_event_batch_size": "${LIMIT}"}},
    ) | {"port": "${LIMIT}", "debug": "${FLAG}", "cors": {"origin": ["${ONE}", "https://b.io"]}, "cluster_health": {}}
    environ = {"LIMIT": "70", "FLAG": "yes", "ORIGINS": "https://a.io, *.b.io", "ONE": "https://a.io/"}

    settings = load_document(document, environ).settings

    (one,) = settings.apps
    assert (settings.port, settings.debug, settings.cors.origin) == (70, True, ("https://a.io", "https://b.io"))
    assert (one.max_connections, one.enable_client_messages, one.enable_user_authentication) == (70, True, True)
    assert (one.allowed_origins, one.max_event_batch_size) == (("https://a.io", "*.b.io"), 70)


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"port": "${X}"}, "port"),
        ({"debug": "${X}"}, "debug"),
        ({"host": "http://${X}"}, "host"),
        ({"adapter": {"driver": "${X}"}}, "adapter.driver"),
        ({"cors": {"origin": "${X}/path"}}, "cors.origin[0]"),
        (with_app(allowed_origins=["${X}/path"]), "app_manager.array.apps[0].allowed_origins[0]"),
        (with_app(max_connections="${X}"), "app_manager.array.apps[0].max_connections"),
        (with_app(webhooks=[HOOK | {"filter": {"channel_pattern": "(${X}"}}]), "app_manager.array.apps[0].webhooks[0]"),
        (with_app(webhooks=[HOOK | {"event_types": "${X}"}]), "app_manager.array.apps[0].webhooks[0].event_types[0]"),
    ],
)
def test_an_error_names_the_variable_and_not_its_value(
    document: dict[str, Any], place: str, problems_of: Problems
) -> None:
    (problem,) = problems_of(document, {"X": SECRET})

    assert problem.startswith(place)
    assert problem.endswith("got a string from ${X}")
    assert SECRET not in problem


@pytest.mark.parametrize("text", ["${X}", "${X:-}", " ${X} "])
@pytest.mark.parametrize(
    ("form", "place"),
    [
        (lambda text: with_app(secret=text), "app_manager.array.apps[0].secret"),
        (lambda text: with_app(key=text), "app_manager.array.apps[0].key"),
        (lambda text: with_app(id=text), "app_manager.array.apps[0].id"),
        (lambda text: document_with("adapter.nats.token", text), "adapter.nats.token"),
        (lambda text: document_with("database.redis.password", text), "database.redis.password"),
        (
            lambda text: with_app(webhooks=[HOOK | {"headers": {"Authorization": text}}]),
            "app_manager.array.apps[0].webhooks[0].headers.Authorization",
        ),
        (
            lambda text: with_app(policy={"webhooks": [HOOK | {"headers": {"X": text}}]}),
            "app_manager.array.apps[0].policy.webhooks[0].headers.X",
        ),
    ],
)
def test_an_empty_variable_is_no_credential(form: Any, place: str, text: str, problems_of: Problems) -> None:
    (problem,) = problems_of(form(text), {"X": " "})

    assert problem == f"{place}: is empty, because ${{X}} is; a credential may not be empty"


@pytest.mark.parametrize(
    "document",
    [
        document_with("database.redis.host", "redis://:${X}@h"),
        document_with("cache.redis.url_override", "redis://:${X}@h"),
        with_app(webhooks=[HOOK | {"headers": {"Authorization": "Bearer ${X}"}}]),
    ],
)
def test_a_login_with_an_empty_part_is_refused(document: dict[str, Any], problems_of: Problems) -> None:
    (problem,) = problems_of(document, {"X": ""})

    assert "has an empty part, because the variable X is empty; set it, or write ${X:-}" in problem


@pytest.mark.parametrize("text", ["${X}", "${X:-}"])
def test_an_empty_variable_is_no_list_that_allows_everything(text: str, problems_of: Problems) -> None:
    (problem,) = problems_of(with_app(allowed_origins=text), {"X": ""})

    assert problem == (
        "app_manager.array.apps[0].allowed_origins: is empty, because ${X} is; write [] if no entry is meant"
    )
    assert problems_of(with_app(allowed_origins=[text]), {"X": ""})


@pytest.mark.parametrize("text", ["${X}", "${X}${X}", "${Y:-,}"])
def test_commas_from_a_variable_are_no_list_that_allows_everything(text: str, problems_of: Problems) -> None:
    for document in (with_app(allowed_origins=text), with_app(policy={"channels": {"allowed_origins": text}})):
        (problem,) = problems_of(document, {"X": " ,"})
        assert "allowed_origins[0]" in problem
        assert "got an empty string from ${" in problem


def test_variables_and_keys_are_not_interpolated(load_document: Load) -> None:
    document = with_app(webhooks=[HOOK | {"headers": {"X-A": "$${A}"}}])
    environ = {"A": "x", "ENVIRONMENT": "${A}", "DATABASE_REDIS_KEY_PREFIX": "$${A}"}

    settings = load_document(document | {"${A}": 1}, environ).settings

    assert (settings.mode, settings.database.redis.key_prefix) == ("${A}", "$${A}")
    assert settings.apps[0].webhooks[0].headers == {"X-A": "${A}"}


def test_a_setting_says_which_variable_it_has_from_the_file(load_document: Load) -> None:
    document = with_app(secret="${S}", policy={"limits": {"max_connections": "${M:-5}"}}) | {"mode": "${M:-x}-y"}
    loaded = load_document(document, {"S": SECRET})

    found = {one.path: one for one in effective(loaded)}
    secret = found["app_manager.array.apps[0].secret"]
    assert (secret.value, secret.source, secret.name) == ("***", "file", f"{loaded.config_file} (${{S}})")
    assert found["mode"].name == f"{loaded.config_file} (${{M}})"
    assert found["app_manager.array.apps[0].max_connections"].name == f"{loaded.config_file} (${{M}})"
    assert SECRET not in json.dumps([one.value for one in found.values()])


def test_check_config_never_prints_the_value_of_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps(with_app(secret="${S}") | document_with("database.redis.password", "${S}")))
    environ = clean_environ() | {"S": SECRET}

    for more in ([], ["--show"], ["--show", "--format", "json"]):
        command = [sys.executable, "-m", "sockudo", "check-config", str(file), *more]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "S" in done.stdout
        assert SECRET not in done.stdout


def test_texts_that_are_escaped_come_back_as_they_were() -> None:
    texts = ["${A}", "$${A}", "$$${", "plain", "a$b{c}"]
    document = escaped({"texts": texts, "number": 5})

    interpolate(document, {})

    assert document == {"texts": texts, "number": 5}


async def test_a_server_signs_with_the_secret_of_a_variable(tmp_path: Path) -> None:
    one = app(secret="${SECRET_OF_IT}", key="${KEY_OF_IT:-the-key}")

    with server_process(tmp_path, one, environ={"SECRET_OF_IT": SECRET}) as server:
        async with PusherClient(server.port, "the-key", SECRET) as client:
            await client.subscribe("private-a")
            answer = await ApiClient(server.port, one["id"], "the-key", SECRET).trigger("private-a", "1")
            assert answer.status == 200
    assert SECRET not in (tmp_path / "server.log").read_text()
