"""The configuration of Laravel Reverb: resolved, and as the variables of an `.env` file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.config.load import problems_of
from sockudo.migration.draft import Draft
from sockudo.migration.reverb.document import from_document, from_variables
from sockudo.migration.reverb.variables import APP, KNOWN, RATE_LIMITING, REDIS, SCALING, SERVER

IDENTITY = {"REVERB_APP_ID": "1", "REVERB_APP_KEY": "k", "REVERB_APP_SECRET": "s"}
CONFIG: dict[str, Any] = {"apps": {"apps": [{"app_id": "1", "key": "k", "secret": "s", "allowed_origins": ["*"]}]}}


def server(**changes: Any) -> dict[str, Any]:
    return {"servers": {"reverb": changes}, **CONFIG}


def at(draft: Draft, path: str) -> Any:
    value: Any = draft.document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def remarks(draft: Draft) -> list[str]:
    return [str(remark) for remark in draft.remarks]


def test_variables_alone_are_a_server_as_reverb_starts_it() -> None:
    draft = from_variables(IDENTITY)

    assert draft.document == {
        "host": "0.0.0.0",
        "port": 8080,
        "http_api": {"request_limit_in_mb": 1},
        "app_manager": {
            "array": {
                "apps": [
                    {
                        "id": "1",
                        "key": "k",
                        "secret": "s",
                        "enable_client_messages": True,
                        "allowed_origins": ["*"],
                    }
                ]
            }
        },
        "activity_timeout": 30,
        "websocket_max_payload_kb": 10,
    }
    assert remarks(draft) == []
    assert problems_of(draft.document) == []


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("REVERB_SERVER_HOST", "127.0.0.1", "host", "127.0.0.1"),
        ("REVERB_SERVER_PORT", "9000", "port", 9000),
        ("REVERB_SERVER_PATH", "/ws", "path_prefix", "/ws"),
        ("REVERB_MAX_REQUEST_SIZE", "3000000", "http_api.request_limit_in_mb", 3),
        ("REVERB_APP_ACTIVITY_TIMEOUT", "45", "activity_timeout", 45),
        ("REVERB_APP_MAX_MESSAGE_SIZE", "100000", "websocket_max_payload_kb", 98),
    ],
)
def test_a_variable_is_taken_over(variable: str, text: str, path: str, value: object) -> None:
    draft = from_variables({**IDENTITY, variable: text})

    assert at(draft, path) == value
    assert remarks(draft) == []


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("REDIS_URL", "redis://:p@r:1/2", "adapter.redis.redis_pub_options.url", "redis://:p@r:1/2"),
        ("REDIS_HOST", "r", "database.redis.host", "r"),
        ("REDIS_PORT", "7000", "database.redis.port", 7000),
        ("REDIS_USERNAME", "ann", "database.redis.username", "ann"),
        ("REDIS_PASSWORD", "null", "database.redis.password", None),
        ("REDIS_PASSWORD", "p", "database.redis.password", "p"),
        ("REDIS_DB", "3", "database.redis.db", 3),
        ("REDIS_TIMEOUT", "60", "adapter.redis.requests_timeout", 60_000),
        ("REVERB_SCALING_CHANNEL", "live", "adapter.redis.prefix", "live:"),
    ],
)
def test_redis_counts_with_scaling_only(variable: str, text: str, path: str, value: object) -> None:
    scaled = from_variables({**IDENTITY, "REVERB_SCALING_ENABLED": "true", variable: text})

    assert at(scaled, "adapter.driver") == "redis"
    assert at(scaled, path) == value
    assert remarks(scaled) == []
    assert problems_of(scaled.document) == []
    assert from_variables({**IDENTITY, variable: text}).document == from_variables(IDENTITY).document


def test_laravels_own_settings_are_named_and_foreign_ones_are_not() -> None:
    draft = from_variables(
        {
            **IDENTITY,
            "REVERB_HOST": "ws.example.com",
            "REVERB_PORT": "443",
            "REVERB_SCHEME": "https",
            "REVERB_APP_PING_INTERVAL": "60",
            "REVERB_APP_RATE_LIMITING_ENABLED": "true",
            "REVERB_PULSE_INGEST_INTERVAL": "15",
            "REVERB_SERVER": "reverb",
            "REVERB_ALLOWED_ORIGINS": "a.io",
            "VITE_REVERB_HOST": "x",
            "APP_KEY": "x",
        }
    )

    assert [remark.key for remark in draft.remarks] == [
        "REVERB_HOST",
        "REVERB_PULSE_INGEST_INTERVAL",
        "REVERB_APP_RATE_LIMITING_ENABLED",
        "REVERB_APP_PING_INTERVAL",
        "REVERB_PORT",
        "REVERB_SCHEME",
        "REVERB_ALLOWED_ORIGINS",
    ]


def test_a_missing_identity_is_named_by_its_variable() -> None:
    draft = from_variables({"REVERB_APP_ID": "1", "REVERB_APP_KEY": "k"})

    assert remarks(draft) == ["REVERB_APP_SECRET: is not given; the app is left out"]
    assert at(draft, "app_manager.array.apps") == []


def test_the_resolved_configuration_may_stand_below_its_name() -> None:
    plain = from_document(server(port=9000))

    assert plain.document == from_document({"reverb": server(port=9000)}).document
    assert at(plain, "port") == 9000


def test_the_default_server_is_the_one_that_is_taken() -> None:
    servers = {"reverb": {"port": 1}, "other": {"port": 2}}
    draft = from_document({"default": "other", "servers": servers, **CONFIG})

    assert at(draft, "port") == 2
    assert [remark.key for remark in draft.remarks] == ["servers.reverb"]


def test_tls_has_a_certificate_and_its_key() -> None:
    tls = {"local_cert": "/c.pem", "local_pk": "/k.pem", "passphrase": "p", "cafile": "/ca.pem", "verify_peer": False}
    draft = from_document(server(options={"tls": tls}))

    assert draft.document["ssl"] == {
        "enabled": True,
        "cert_path": "/c.pem",
        "key_path": "/k.pem",
        "passphrase": "p",
        "ca_path": "/ca.pem",
    }
    assert [remark.key for remark in draft.remarks] == ["servers.reverb.options.tls.verify_peer"]


def test_a_key_may_be_in_the_file_of_the_certificate() -> None:
    draft = from_document(server(options={"tls": {"local_cert": "/both.pem"}}))

    assert draft.document["ssl"] == {"enabled": True, "cert_path": "/both.pem", "key_path": "/both.pem"}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"port": "x"}, "servers.reverb.port"),
        ({"scaling": {"enabled": "maybe"}}, "servers.reverb.scaling.enabled"),
        ({"scaling": {"enabled": True, "server": {"options": {}}}}, "servers.reverb.scaling.server.options"),
        ({"max_connections": 1}, "servers.reverb.max_connections"),
        ({"options": 5}, "servers.reverb.options"),
        ({"options": {"tls": "yes"}}, "servers.reverb.options"),
        ({"scaling": "on"}, "servers.reverb.scaling"),
        ({"max_request_size": "x"}, "servers.reverb.max_request_size"),
    ],
)
def test_what_cannot_be_taken_over_is_remarked(changes: dict[str, Any], key: str) -> None:
    assert [remark.key for remark in from_document(server(**changes)).remarks] == [key]


@pytest.mark.parametrize("value", ["x", 5, [1], True])
@pytest.mark.parametrize("key", ["servers", "apps", "apps.apps", "servers.reverb"])
def test_a_section_that_is_none_takes_nothing_else_with_it(key: str, value: object) -> None:
    document: dict[str, Any] = json.loads(json.dumps(server(port=9)))
    *parents, name = key.split(".")
    section = document[parents[0]] if parents else document
    section[name] = value
    draft = from_document(document)

    named = f"{key}.0" if value == [1] and key == "apps.apps" else key
    assert named in [remark.key for remark in draft.remarks]
    assert (at(draft, "port") == 9) is not key.startswith("servers")
    assert bool(at(draft, "app_manager.array.apps")) is not key.startswith("apps")


@pytest.mark.parametrize("options", ["x", 5, {"tls": "yes"}])
def test_options_that_cannot_be_read_open_no_plain_port(options: object) -> None:
    problems = problems_of(from_document(server(options=options)).document)

    assert any("ssl" in problem for problem in problems)


def test_an_unreadable_body_limit_becomes_the_smallest() -> None:
    assert at(from_document(server(max_request_size="x")), "http_api.request_limit_in_mb") == 1


def test_a_key_beside_servers_and_apps_is_remarked() -> None:
    assert remarks(from_document({**CONFIG, "hosts": 1})) == ["hosts: is no setting of Reverb"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def some(names: dict[str, tuple[str, Any]], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = {key: ANYTHING for key, _ in names.values()} | more
    return ANYTHING | st.fixed_dictionaries({}, optional=fields)


SHAPED = st.fixed_dictionaries(
    {
        "servers": st.fixed_dictionaries({"reverb": some(SERVER, scaling=some(SCALING, server=some(REDIS)))}),
        "apps": st.fixed_dictionaries(
            {"apps": st.lists(some(APP, rate_limiting=some(RATE_LIMITING), allowed_origins=ANYTHING), max_size=2)}
        ),
    }
)


@given(st.dictionaries(st.text(max_size=8), ANYTHING) | SHAPED)
def test_any_document_is_converted_or_remarked_upon(document: dict[str, Any]) -> None:
    json.dumps(from_document(document).document)


@given(st.dictionaries(st.sampled_from(sorted(KNOWN | set(REDIS))), st.text()))
def test_any_variables_are_converted_or_remarked_upon(variables: dict[str, str]) -> None:
    json.dumps(from_variables(variables).document)
