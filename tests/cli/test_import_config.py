"""`import-config`: files of soketi and Laravel Reverb become one that this server takes."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sockudo.cli.main import main
from tests.clients.client import ApiClient, PusherClient
from tests.servers.server import server_process

SOKETI = {
    "port": 6005,
    "debug": False,
    "appManager.array.apps": [
        {
            "id": "chat",
            "key": "chat-key",
            "secret": "TOPSECRET",
            "maxConnections": -1,
            "enableClientMessages": True,
            "webhooks": [{"url": "https://h/hooks", "event_types": ["channel_occupied"]}],
        }
    ],
    "adapter": {"driver": "redis", "redis": {"prefix": "live"}},
    "database": {"redis": {"host": "redis.invalid", "password": "TOPSECRET"}},
    "cluster": {"port": 11002},
}
REVERB_ENV = """APP_NAME="My app"
REVERB_APP_ID=chat
REVERB_APP_KEY=chat-key # public
REVERB_APP_SECRET="chat-secret"
REVERB_HOST=ws.example.com
REVERB_SERVER_PORT=6005
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in an empty directory with an empty environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {})
    Path("soketi.json").write_text(json.dumps(SOKETI), encoding="utf-8")
    Path(".env").write_text(REVERB_ENV, encoding="utf-8")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, prog_name="sockudo")

    return invoke


def test_a_soketi_file_is_printed_as_ours_with_its_leftovers(run: Callable[..., Result]) -> None:
    result = run("import-config", "soketi", "soketi.json")

    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["adapter"] == {"driver": "redis", "redis": {"prefix": "live"}}
    assert document["app_manager"]["array"]["apps"][0]["key"] == "chat-key"
    assert result.stderr.startswith("The import left out or changed:\n  cluster.port: has no equal: ")
    assert "TOPSECRET" not in result.stderr


def test_what_is_written_passes_check_config(run: Callable[..., Result]) -> None:
    assert run("import-config", "soketi", "soketi.json", "--output", "ours.json").stdout == ""
    soketi = run("check-config", "ours.json")
    run("import-config", "reverb", ".env", "-o", "theirs.json")
    reverb = run("check-config", "theirs.json")

    assert (soketi.exit_code, reverb.exit_code) == (0, 0)
    assert "unknown key" not in soketi.stdout + reverb.stdout
    assert "0.0.0.0:6005" in soketi.stdout
    assert "0.0.0.0:6005" in reverb.stdout


def test_what_this_version_cannot_do_is_said(run: Callable[..., Result]) -> None:
    Path("soketi.json").write_text(json.dumps(SOKETI | {"port": 70_000}), encoding="utf-8")
    result = run("import-config", "soketi", "soketi.json")

    assert result.exit_code == 0
    assert "The server does not start with the result; correct:\n  port: expected an integer" in result.stderr


def test_an_env_file_of_soketi_is_read_too(run: Callable[..., Result]) -> None:
    Path("s.env").write_text("SOKETI_PORT=7\nSOKETI_DEFAULT_APP_SECRET='a#b'\nSOKETI_ODD=1\n", encoding="utf-8")
    result = run("import-config", "soketi", "s.env")

    document = json.loads(result.stdout)
    assert document["port"] == 7
    assert document["app_manager"]["array"]["apps"][0]["secret"] == "a#b"
    assert "  SOKETI_ODD: is no variable of soketi 1.6" in result.stderr


def test_the_resolved_configuration_of_reverb_is_read_too(run: Callable[..., Result]) -> None:
    config = {"servers": {"reverb": {"port": 9}}, "apps": {"apps": [{"app_id": 1, "key": "k", "secret": "s"}]}}
    Path("reverb.json").write_text(json.dumps(config), encoding="utf-8")
    document = json.loads(run("import-config", "reverb", "reverb.json").stdout)

    assert document["port"] == 9
    assert document["app_manager"]["array"]["apps"][0]["id"] == "1"


def test_only_the_owner_may_read_what_is_written(run: Callable[..., Result]) -> None:
    run("import-config", "soketi", "soketi.json", "-o", "ours.json")

    assert stat.S_IMODE(Path("ours.json").stat().st_mode) == 0o600


def test_a_file_that_exists_is_kept_unless_forced(run: Callable[..., Result]) -> None:
    Path("ours.json").write_text("mine", encoding="utf-8")

    refused = run("import-config", "soketi", "soketi.json", "-o", "ours.json")
    assert (refused.exit_code, Path("ours.json").read_text(encoding="utf-8")) == (2, "mine")
    assert "ours.json: exists; --force replaces it" in refused.stderr

    assert run("import-config", "soketi", "soketi.json", "-o", "ours.json", "--force").exit_code == 0
    assert json.loads(Path("ours.json").read_text(encoding="utf-8"))["port"] == 6005


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff", "is not UTF-8 text"),
        (b'{"port": 1', "is not valid JSON"),
        (b"<?php return [];", "is neither a JSON object nor an .env file"),
        (b"", "is neither a JSON object nor an .env file"),
        (b'{"port": 1, "port": 2}', "port is given twice"),
    ],
)
def test_a_file_that_is_neither_is_a_problem(content: bytes | None, problem: str, run: Callable[..., Result]) -> None:
    if content is not None:
        Path("odd.json").write_bytes(content)
    result = run("import-config", "reverb", "odd.json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr


def test_a_place_that_cannot_be_written_is_a_problem(run: Callable[..., Result]) -> None:
    result = run("import-config", "soketi", "soketi.json", "-o", "nowhere/ours.json")

    assert result.exit_code == 2
    assert "nowhere/ours.json: cannot be written: No such file or directory" in result.stderr


def test_names_from_the_file_cannot_disturb_a_terminal(run: Callable[..., Result]) -> None:
    Path("soketi.json").write_text(json.dumps({"\x1b[31m\nport": 1}), encoding="utf-8")
    result = run("import-config", "soketi", "soketi.json")

    assert "\x1b" not in result.stderr
    assert "\\u001b[31m\\u000aport: is no setting of soketi 1.6" in result.stderr


@pytest.mark.parametrize(
    ("server", "document"),
    [
        ("reverb", {"apps": {"apps": []}}),
        ("reverb", {"apps": {"apps": "x"}}),
        ("reverb", {"apps": {"apps": [{"app_id": 1, "key": "k", "secret": ""}]}}),
        ("soketi", {"port": 6005}),
        ("soketi", {"appManager.array.apps": [{"id": "1", "key": "k", "secret": {"a": 1}}]}),
        ("soketi", {"appManager": {"driver": "sqlite"}}),
    ],
)
def test_without_an_app_the_status_is_1(server: str, document: object, run: Callable[..., Result]) -> None:
    Path("theirs.json").write_text(json.dumps(document), encoding="utf-8")
    result = run("import-config", server, "theirs.json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["app_manager"]["array"]["apps"] == []
    assert "The result has no app:\n  app_manager.array.apps is empty" in result.stderr
    assert "app-secret" not in result.stdout


@pytest.mark.parametrize(
    ("app", "ours", "key"),
    [
        ({"allowed_origins": [""]}, {"allowed_origins": ["https://origin.invalid"]}, "allowed_origins.0"),
        ({"allowed_origins": ["a.io", ""]}, {"allowed_origins": ["a.io"]}, "allowed_origins.1"),
        ({"allowed_origins": [None]}, {"allowed_origins": ["https://origin.invalid"]}, "allowed_origins.0"),
        ({"rate_limiting": True}, {"max_client_events_per_second": 1}, "rate_limiting"),
        ({"options": "x"}, {}, "options"),
        ({"max_connections": "many"}, {"enabled": False}, "max_connections"),
    ],
)
def test_an_unreadable_value_of_a_reverb_app_opens_nothing(
    app: dict[str, object], ours: dict[str, object], key: str, run: Callable[..., Result]
) -> None:
    apps = [{"app_id": "1", "key": "k", "secret": "s"} | app, {"app_id": "2", "key": "l", "secret": "s"}]
    Path("reverb.json").write_text(json.dumps({"apps": {"apps": apps}}), encoding="utf-8")
    result = run("import-config", "reverb", "reverb.json", "-o", "ours.json")
    first, second = json.loads(Path("ours.json").read_text(encoding="utf-8"))["app_manager"]["array"]["apps"]

    assert result.exit_code == 0
    assert {name: first[name] for name in ours} == ours
    assert second == {"id": "2", "key": "l", "secret": "s", "enable_client_messages": True}
    assert f"  apps.apps.0.{key}: " in result.stderr
    assert run("check-config", "ours.json").exit_code == 0


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("REDIS_URL=tls://:TOPSECRET@r.io:7/1", "rediss://:***@r.io:7/1"),
        ("REDIS_URL=tcp://r.io?database=2", "redis://r.io:6379/2"),
        ("REDIS_SCHEME=tls", "rediss://127.0.0.1:6379/0"),
    ],
)
def test_an_address_of_redis_in_laravels_env_file_is_taken(line: str, url: str, run: Callable[..., Result]) -> None:
    Path(".env").write_text(f"{REVERB_ENV}REVERB_SCALING_ENABLED=true\n{line}\n", encoding="utf-8")
    result = run("import-config", "reverb", ".env", "-o", "ours.json")
    shown = run("check-config", "ours.json", "--show")

    assert (result.exit_code, shown.exit_code) == (0, 0)
    assert url in shown.stdout
    assert "TOPSECRET" not in result.stderr


def test_another_server_is_a_wrong_command_line(run: Callable[..., Result]) -> None:
    assert run("import-config", "ably", "soketi.json").exit_code == 2


async def test_what_was_imported_serves(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.loads(run("import-config", "reverb", ".env").stdout)
    monkeypatch.undo()
    with server_process(tmp_path, **document, environ={"PORT": "0", "HOST": "127.0.0.1"}) as server:
        async with PusherClient(server.port, "chat-key", "chat-secret") as client:
            await client.subscribe("news")
            await ApiClient(server.port, "chat", "chat-key", "chat-secret").trigger("news", "1", "created")
            assert (await client.receive())["event"] == "created"
