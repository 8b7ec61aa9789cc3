"""Every row of the tables of docs/migrating.md, imported by the command from a file and from an `.env` file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from sockudo.cli.main import main
from tests.support.pages import Claims, section, table_rows
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs/migrating.md"
IMPORTS: Final = Claims(PAGE, "## The import")
APP: Final = {"id": "1", "key": "k", "secret": "s"}
SOKETI_ENV: Final = {f"SOKETI_DEFAULT_APP_{name.upper()}": value for name, value in APP.items()}
REVERB_APP: Final = {"app_id": "1", "key": "k", "secret": "s"}
REVERB_ENV: Final = {f"REVERB_APP_{name.removeprefix('app_').upper()}": value for name, value in REVERB_APP.items()}

# Setting of soketi -> a value of it, where 7 is none.
VALUES: Final[dict[str, Any]] = {
    "adapter.nats.servers": ["a:1"],
    "appManager.dynamodb.endpoint": "http://d",
    "cors.allowedHeaders": ["X-A"],
    "cors.methods": ["GET"],
    "cors.origin": ["https://a.io"],
    "database.redis.clusterNodes": [{"host": "a", "port": 1}],
    "database.redis.sentinels": [{"host": "a", "port": 1}],
    "metrics.driver": "prometheus",
    "queue.sqs.endpoint": "http://q",
    "webhooks": [{"url": "http://h.io", "event_types": ["cache_miss"]}],
}
# What 7 is here, where it is not the same.
CONVERTED: Final[dict[str, Any]] = {
    "shutdownGracePeriod": 1,
    "userAuthenticationTimeout": 1,
    "httpApi.acceptTraffic.memoryThreshold": 0.07,
}
FLAGS: Final = ("debug", "enabled", "credentials", "clusterMode", "Messages", "Authentication")
TEXTS: Final = (
    *("host", "prefix", "Prefix", "user", "username", "pass", "password", "Password", "token", "table", "name"),
    *("database", "region", "process_id", "Path", "passphrase", "id", "key", "secret"),
)

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Import a document or variables of a server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {})

    def invoke(server: str, given: dict[str, Any], *, variables: bool = False) -> Result:
        lines = "".join(f"{name}='{value}'\n" for name, value in given.items())
        Path("theirs").write_text(lines if variables else json.dumps(given), encoding="utf-8")
        return CliRunner().invoke(main, ["import-config", server, "theirs"], prog_name="sockudo")

    return invoke


def rows(heading: str) -> list[tuple[str, str, str]]:
    """Return what a table shows, without its backquotes where a cell is one name."""
    found = table_rows(section(PAGE, heading).partition("\n### ")[0])
    return [(key.strip("`"), variable.strip("`"), here) for key, variable, here in found]


def value_of(key: str) -> Any:
    if key in VALUES:
        return VALUES[key]
    if key.endswith(FLAGS):
        return True
    return "/x" if key.endswith(TEXTS) and not key.endswith(("Length", "Timeout")) else 7


def at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize(("key", "variable", "here"), rows("### Settings"), ids=lambda one: one.strip("`"))
def test_a_setting_of_soketi_is_the_one_shown(key: str, variable: str, here: str, run: Run) -> None:
    value = value_of(key)
    found = [run("soketi", {key: value, "appManager.array.apps": [APP]})]
    if variable:
        found.append(run("soketi", {variable: as_text(value), **SOKETI_ENV}, variables=True))

    for result in found:
        assert result.exit_code == 0, result.stderr
        assert at(json.loads(result.stdout), here.strip("`")) == CONVERTED.get(key, value)
        assert f"{key}: is no" not in result.stderr


@pytest.mark.parametrize(("key", "variable", "here"), rows("### Apps"), ids=lambda one: one.strip("`"))
def test_a_setting_of_a_soketi_app_is_the_one_shown(key: str, variable: str, here: str, run: Run) -> None:
    value = value_of(key)
    found = [run("soketi", {"appManager.array.apps": [APP | {key: value}]})]
    if variable:
        found.append(run("soketi", SOKETI_ENV | {variable: as_text(value)}, variables=True))

    for result in found:
        assert (result.exit_code, "The import left out" in result.stderr) == (0, False)
        (app,) = json.loads(result.stdout)["app_manager"]["array"]["apps"]
        assert app[here.strip("`")] == value


@pytest.mark.parametrize(("key", "variable", "reason"), rows("### Settings without an equal"))
def test_a_setting_of_soketi_without_an_equal_is_named(key: str, variable: str, reason: str, run: Run) -> None:
    given = run("soketi", {key: 7, "appManager.array.apps": [APP]})
    told = run("soketi", {variable: "7", **SOKETI_ENV}, variables=True)

    assert f"  {key}: has no equal: {reason}\n" in given.stderr
    assert f"  {variable}: has no equal: {reason}\n" in told.stderr


# Key of Reverb -> a value as a variable has it, and where it is found here. A dot before a path: of the app.
OF_REVERB: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "servers.reverb.host": ("127.0.0.1", {"host": "127.0.0.1"}),
    "servers.reverb.port": ("7", {"port": 7}),
    "servers.reverb.path": ("/x", {"path_prefix": "/x"}),
    "servers.reverb.max_request_size": ("3000000", {"http_api.request_limit_in_mb": 3}),
    "servers.reverb.scaling.enabled": ("true", {"adapter.driver": "redis"}),
    "servers.reverb.scaling.channel": ("x", {"adapter.redis.prefix": "x:"}),
    "servers.reverb.scaling.server.url": (
        "tls://r.io?database=2",
        {"adapter.redis.redis_pub_options.url": "rediss://r.io:6379/2"},
    ),
    "servers.reverb.scaling.server.scheme": (
        "tls",
        {"adapter.redis.redis_pub_options.url": "rediss://127.0.0.1:6379/0"},
    ),
    "servers.reverb.scaling.server.host": ("r.io", {"database.redis.host": "r.io"}),
    "servers.reverb.scaling.server.port": ("7", {"database.redis.port": 7}),
    "servers.reverb.scaling.server.username": ("x", {"database.redis.username": "x"}),
    "servers.reverb.scaling.server.password": ("x", {"database.redis.password": "x"}),
    "servers.reverb.scaling.server.database": ("7", {"database.redis.db": 7}),
    "servers.reverb.scaling.server.timeout": ("7", {"adapter.redis.requests_timeout": 7000}),
    "app_id": ("7", {".id": "7"}),
    "key": ("x", {".key": "x"}),
    "secret": ("x", {".secret": "x"}),
    "max_connections": ("7", {".max_connections": 7}),
    "accept_client_events_from": ("none", {".enable_client_messages": False}),
    "activity_timeout": ("7", {"activity_timeout": 7}),
    "max_message_size": ("7000", {"websocket_max_payload_kb": 7}),
    "rate_limiting.enabled": ("true", {".max_client_events_per_second": 1}),
    "rate_limiting.max_attempts": ("240", {".max_client_events_per_second": 4}),
    "rate_limiting.decay_seconds": ("10", {".max_client_events_per_second": 6}),
}
# Variable that lets others count -> what it is about.
SWITCHES: Final = {
    "REVERB_SCALING_ENABLED": "servers.reverb.scaling",
    "REVERB_APP_RATE_LIMITING_ENABLED": "rate_limiting",
}
# Those that no variable sets: the value in the file, and what is found here.
IN_THE_FILE: Final[dict[str, tuple[Any, dict[str, Any]]]] = {
    "servers.reverb.options.tls": (
        {"local_cert": "/c", "local_pk": "/k", "passphrase": "p", "cafile": "/a"},
        {"ssl": {"enabled": True, "cert_path": "/c", "key_path": "/k", "passphrase": "p", "ca_path": "/a"}},
    ),
    "allowed_origins": (["a.io"], {".allowed_origins": ["a.io"]}),
}
REVERB: Final = [row for row in table_rows(section(PAGE, "## From Laravel Reverb")) if len(row) == 3]
TAKEN: Final = [row for row in REVERB if row[0].strip("`") in {*OF_REVERB, *IN_THE_FILE}]
LEFT: Final = [row for row in REVERB if row not in TAKEN]
# What has no equal -> where it stands in the file, and a value.
WITHOUT: Final[dict[str, tuple[str, Any]]] = {
    "servers.reverb.hostname": ("servers.reverb.hostname", "x"),
    "servers.reverb.pulse_ingest_interval": ("servers.reverb.pulse_ingest_interval", 15),
    "servers.reverb.telescope_ingest_interval": ("servers.reverb.telescope_ingest_interval", 15),
    "apps.provider` other than `config": ("apps.provider", "x"),
    "options": ("apps.apps.0.options", {"host": "x"}),
    "ping_interval": ("apps.apps.0.ping_interval", 60),
    "rate_limiting.terminate_on_limit": ("apps.apps.0.rate_limiting", {"enabled": True, "terminate_on_limit": True}),
}


def test_every_row_of_reverb_is_run() -> None:
    assert {row[0].strip("`") for row in TAKEN} == {*OF_REVERB, *IN_THE_FILE}
    assert {row[0].strip("`") for row in LEFT} == set(WITHOUT)


def document_of_reverb(key: str, value: Any) -> dict[str, Any]:
    """A resolved configuration with one value in it."""
    document: dict[str, Any] = {"servers": {"reverb": {}}, "apps": {"apps": [dict(REVERB_APP)]}}
    if ".scaling.server." in key:
        document["servers"]["reverb"]["scaling"] = {"enabled": True, "server": {"host": "127.0.0.1"}}
    if key.startswith("rate_limiting."):
        document["apps"]["apps"][0]["rate_limiting"] = {"enabled": True, "max_attempts": 60, "decay_seconds": 60}
    if key == "servers.reverb.scaling.channel":
        document["servers"]["reverb"]["scaling"] = {"enabled": True}
    place: Any = document if key.startswith(("servers.", "apps.")) else document["apps"]["apps"][0]
    *parents, last = key.split(".")
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
    place[last] = value
    return document


def check(result: Result, expected: dict[str, Any]) -> None:
    document = json.loads(result.stdout)
    for path, value in expected.items():
        place = document["app_manager"]["array"]["apps"][0] if path.startswith(".") else document
        assert at(place, path.removeprefix(".")) == value, result.stderr


@pytest.mark.parametrize("row", TAKEN, ids=lambda row: row[0].strip("`"))
def test_a_setting_of_reverb_is_the_one_shown(row: list[str], run: Run) -> None:
    key, variable, here = row[0].strip("`"), row[1].strip("`"), row[2]
    value, expected = OF_REVERB[key] if key in OF_REVERB else IN_THE_FILE[key]
    check(run("reverb", document_of_reverb(key, value)), expected)
    assert bool(variable) is (key in OF_REVERB)
    if variable:
        switches = {name: "true" for name, start in SWITCHES.items() if key.startswith(start)}
        check(run("reverb", REVERB_ENV | switches | {variable: value}, variables=True), expected)
    for path in expected:
        assert here == "the same" or f"`{path.strip('.').rpartition('.')[2]}" in here or path.strip(".") in here


@pytest.mark.parametrize("row", LEFT, ids=lambda row: row[0].strip("`"))
def test_a_setting_of_reverb_without_an_equal_is_named(row: list[str], run: Run) -> None:
    key, value = WITHOUT[row[0].strip("`")]
    named = "apps.apps.0.rate_limiting.terminate_on_limit" if key.endswith("rate_limiting") else key
    assert f"  {named}: " in run("reverb", document_of_reverb(key, value)).stderr
    for variable in re.findall(r"`(\w+)`", row[1]):
        given = REVERB_ENV | {"REVERB_APP_RATE_LIMITING_ENABLED": "true", variable: "1"}
        assert f"  {variable}: " in run("reverb", given, variables=True).stderr


# The import


def test_every_statement_about_an_import_has_a_test() -> None:
    assert (IMPORTS.unproved(), IMPORTS.vanished()) == ([], [])


@IMPORTS.proves("An entry of a list that cannot be read")
def test_an_entry_that_cannot_be_read_is_left_out(run: Run) -> None:
    for given, kept in ((["a.io", ""], ["a.io"]), ([None], ["https://origin.invalid"])):
        result = run("reverb", document_of_reverb("allowed_origins", given))
        check(result, {".allowed_origins": kept})
        assert "the entry is left out" in result.stderr


@IMPORTS.proves("An app whose id, key or secret cannot be read")
def test_an_app_without_a_secret_is_left_out(run: Run) -> None:
    hooks = [{"url": "http://h.io", "event_types": ["cache_miss"], "filter": {"channel_prefix": "a-"}}]
    apps = [{"id": "2", "key": "l"}, APP | {"webhooks": hooks}]
    result = run("soketi", {"appManager.array.apps": apps})
    assert json.loads(result.stdout)["app_manager"]["array"]["apps"] == [APP]
    for name in ("app_id", "key", "secret"):
        assert run("reverb", document_of_reverb(name, "")).exit_code == 1


@IMPORTS.proves("An app whose limit cannot be read is disabled")
def test_an_app_whose_limit_cannot_be_read_is_disabled(run: Run) -> None:
    check(run("soketi", {"appManager.array.apps": [APP | {"maxConnections": "x"}]}), {".enabled": False})
    check(run("reverb", document_of_reverb("max_connections", "x")), {".enabled": False})
    check(run("reverb", document_of_reverb("rate_limiting", True)), {".max_client_events_per_second": 1})


@IMPORTS.proves("A connection to Redis that asks for TLS never becomes plain.")
def test_a_connection_over_tls_stays_one(run: Run) -> None:
    url = "adapter.redis.redis_pub_options.url"
    check(
        run("reverb", document_of_reverb("servers.reverb.scaling.server.host", "tls://r.io")),
        {url: "rediss://r.io:6379/0"},
    )
    result = run("reverb", document_of_reverb("servers.reverb.scaling.server.url", "tls://r.io:x"))
    check(result, {url: ""})
    assert f"The server does not start with the result; correct:\n  {url}: " in result.stderr


def test_the_status_says_whether_an_app_came_out(run: Run) -> None:
    assert run("soketi", {"appManager.array.apps": [APP]}).exit_code == 0
    assert run("soketi", {"appManager.driver": "mysql"}).exit_code == 0
    assert run("soketi", {"port": 1}).exit_code == 1
    assert run("soketi", {"=": ""}, variables=True).exit_code == 2
