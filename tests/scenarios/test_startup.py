"""Starting: what cannot work is said, and the exit status is 2."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.redis_server import RedisProcess
from tests.servers.server import clean_environ, server_process


def start(folder: Path, config: object) -> subprocess.CompletedProcess[str]:
    """Run `sockudo serve`, which cannot start."""
    path = folder / "config.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return subprocess.run(
        [sys.executable, "-m", "sockudo", "serve", "--config", str(path)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=clean_environ(),
        timeout=60,
        check=False,
    )


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = start(tmp_path, {"host": "127.0.0.1", "port": port})
    assert ended.returncode == 2
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "in use" in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"port": "six thousand"}, "port"),
        ({"app_manager": {"array": {"apps": [{"id": "a", "key": "k"}]}}}, "secret"),
        ({"app_manager": {"array": {"apps": [{"id": "a", "key": "k", "secret": "s", "max_connections": -1}]}}}, "max_"),
        ({"app_manager": {"driver": "nonsense"}}, "app_manager.driver"),
        ("{", "config.json"),
        ([], "config.json"),
    ],
)
def test_a_setting_that_is_not_valid_is_named(tmp_path: Path, config: Any, named: str) -> None:
    ended = start(tmp_path, config)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


async def test_a_process_serves_like_any_server(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        async with PusherClient(server.port) as client:
            await client.subscribe("news")
            await ApiClient(server.port).trigger("news", "x")
            await client.expect("event")
        server.send_signal()
        assert await server.exit_status() == 0


@pytest.mark.parametrize("bad", ["queue", "adapter"])
def test_an_unreachable_store_or_bus_stops_the_start(tmp_path: Path, redis_server: RedisProcess, bad: str) -> None:
    urls = {"queue": redis_server.url, "adapter": redis_server.url} | {bad: "redis://127.0.0.1:1"}
    config = {
        "port": 0,
        "queue": {"driver": "redis", "redis": {"url_override": urls["queue"]}},
        "adapter": {"driver": "redis", "redis": {"redis_pub_options": {"url": urls["adapter"]}}},
    }
    done = start(tmp_path, config)
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"{bad}.redis" in done.stderr
    assert "Unclosed" not in done.stdout + done.stderr
