"""What people bring along: the configuration file and the variables that the original ships with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from sockudo.config.load import load
from tests.clients.client import ApiClient, PusherClient
from tests.config.original_names import DEFAULT_APP_VARIABLES, KEYS
from tests.servers.server import KEY, clean_environ, server_process

ORIGINAL = Path(__file__).parents[1] / "config/original"
OF_THE_FILE = ("app-id", "app-key", "app-secret")
OF_THE_VARIABLES = ("app-1", "key-1", "secret-1")


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ORIGINAL / "config.json").read_text(encoding="utf-8"))
    return found


def variables() -> dict[str, str]:
    lines = (ORIGINAL / "environment.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def leaves(value: Any, path: str = "") -> set[str]:
    if not isinstance(value, dict) or not value:
        return {path}
    return {leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}.{key}" if path else key)}


def test_the_file_has_every_key_of_the_original() -> None:
    assert leaves(document()) == set(KEYS)


def test_the_variables_are_those_of_the_original() -> None:
    known = {name for names in KEYS.values() for name in names} | set(DEFAULT_APP_VARIABLES)

    assert set(variables()) - known == {"LOG_OUTPUT_FORMAT", "RUST_LOG", "SOCKUDO_LOG_PROD"}


def test_the_file_loads_with_two_remarks() -> None:
    loaded = load(ORIGINAL / "config.json", {}, {}, ORIGINAL)

    assert loaded.warnings == [
        "cors.credentials has no effect, because cors.origin does not list single origins",
        'app "app-id" has the secret of the demo app, which is public knowledge: set a secret of your own',
    ]


def test_check_config_takes_the_file() -> None:
    command = [sys.executable, "-m", "sockudo", "check-config", str(ORIGINAL / "config.json")]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environ(), check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "OK\n" in done.stdout


async def check_that_events_pass(port: int, app: tuple[str, str, str]) -> None:
    """Publish with the id, key and secret of an app, and receive."""
    app_id, key, secret = app
    async with PusherClient(port, key, secret) as client:
        await client.subscribe("news")
        await ApiClient(port, app_id, key, secret).trigger("news", "1", "created")
        assert (await client.receive())["event"] == "created"


async def test_the_file_serves(tmp_path: Path) -> None:
    with server_process(tmp_path, **document(), environ={"PORT": "0"}) as server:
        await check_that_events_pass(server.port, OF_THE_FILE)


async def test_the_variables_serve(tmp_path: Path) -> None:
    with server_process(tmp_path, environ=variables()) as server:
        await check_that_events_pass(server.port, OF_THE_VARIABLES)


async def test_the_file_with_the_variables_serves(tmp_path: Path) -> None:
    with server_process(tmp_path, **document(), environ=variables()) as server:
        await check_that_events_pass(server.port, OF_THE_FILE)
        await check_that_events_pass(server.port, OF_THE_VARIABLES)


def test_the_file_is_found_where_the_original_has_it(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.json").write_text((ORIGINAL / "config.json").read_text(encoding="utf-8"))
    command = [sys.executable, "-m", "sockudo", "check-config"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=clean_environ(), check=False)

    assert done.returncode == 0
    assert str(tmp_path / "config/config.json") in done.stdout


@pytest.mark.parametrize("name", ["RATE_LIMITER_WS_TRUST_HOPS", "RATE_LIMITER_WEBSOCKET_TRUST_HOPS"])
async def test_clients_behind_a_trusted_proxy_have_limits_of_their_own(name: str, tmp_path: Path) -> None:
    environ = {"RATE_LIMITER_ENABLED": "true", "RATE_LIMITER_WS_MAX_REQUESTS": "1", name: "1"}
    with server_process(tmp_path, environ=environ) as server:
        url = f"ws://127.0.0.1:{server.port}/app/{KEY}"
        for address in ("192.0.2.1", "192.0.2.2"):
            async with connect(url, additional_headers={"X-Forwarded-For": address}, proxy=None) as socket:
                assert "connection_established" in str(await socket.recv())
        with pytest.raises(InvalidStatus, match="429"):
            await connect(url, additional_headers={"X-Forwarded-For": "192.0.2.1"}, proxy=None)
