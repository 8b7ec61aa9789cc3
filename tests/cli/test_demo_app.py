"""The demo app: served where nothing was configured, with Pusher's own library, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pusher
import pytest

from tests.clients.client import PusherClient
from tests.servers.server import clean_environ, serving

DEMO = {"app_id": "1", "key": "app-key", "secret": "app-secret"}
LOOPBACK = {"HOST": "127.0.0.1", "PORT": "0"}
KEY, SECRET = "SOCKUDO_DEFAULT_APP_KEY", "SOCKUDO_DEFAULT_APP_SECRET"


def run(folder: Path, *arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "sockudo", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=clean_environ() | LOOPBACK | environ,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("options", [[], ["--workers", "2"]])
async def test_pushers_python_library_publishes_to_the_demo_app(options: list[str], tmp_path: Path) -> None:
    with serving(tmp_path, options, LOOPBACK) as server:
        library = pusher.Pusher(**DEMO, host="127.0.0.1", port=server.port, ssl=False)
        async with PusherClient(server.port, DEMO["key"], DEMO["secret"]) as client:
            await client.subscribe("news")
            await asyncio.to_thread(library.trigger, "news", "created", {"n": 1})
            frame = await client.expect("created")
            assert json.loads(frame["data"]) == {"n": 1}
        log = (tmp_path / "server.log").read_text()
        assert 'no app is configured: the demo app "1" is active' in log
        assert 'pusher.Pusher(app_id="1", key="app-key", secret="app-secret"' in log


@pytest.mark.parametrize(
    ("environ", "document"),
    [
        ({KEY: "hush", SECRET: "hush"}, None),
        ({KEY: "hush", SECRET: "", "SOCKUDO_DEFAULT_APP_ID": "hush"}, None),
        ({"SOCKUDO_DEFAULT_APP_MAX_CONECTIONS": "5"}, None),
        ({"SOCKUDO_APP_ID": "hush", "SOCKUDO_APP_KEY": "hush", "SOCKUDO_APP_SECRET": "hush"}, None),
        ({"SOKETI_DEFAULT_APP_ID": "hush"}, None),
        ({"REVERB_APP_KEY": "hush"}, None),
        ({}, {"apps": [{"id": "a", "key": "k", "secret": "hush"}]}),
        ({}, {"appManager": {"array": {"apps": [{"id": "a", "key": "k", "secret": "hush"}]}}}),
        ({}, {"app_manager": {"array": {"apps": {}}}}),
        ({KEY: "hush"}, {"app_manager": {"array": {"apps": [{"id": "a", "key": "k", "secret": "hush"}]}}}),
    ],
)
def test_serve_and_check_config_refuse_an_incomplete_app_alike(
    environ: dict[str, str], document: Any, tmp_path: Path
) -> None:
    if document is not None:
        (tmp_path / "config").mkdir()
        (tmp_path / "config/config.json").write_text(json.dumps(document))

    served, checked, workers = (
        run(tmp_path, *arguments, environ=environ)
        for arguments in (["serve"], ["check-config"], ["serve", "--workers", "2"])
    )

    assert (served.returncode, served.stdout) == (2, "")
    assert (checked.returncode, checked.stdout) == (2, "")
    assert served.stderr == checked.stderr == workers.stderr
    assert "hush" not in served.stderr
    assert all(name in served.stderr for name in environ)


@pytest.mark.parametrize(
    ("environ", "document"),
    [
        ({"SOCKUDO_DEFAULT_APP_ENABLED": "false"}, None),
        ({"PUSHER_APP_ID": "1"}, None),
        ({}, {"app_manager": {"array": {"apps": []}}}),
        ({}, {}),
    ],
)
async def test_a_server_without_an_app_starts_and_lets_nobody_in(
    environ: dict[str, str], document: Any, tmp_path: Path
) -> None:
    options = []
    if document is not None:
        (tmp_path / "mine.json").write_text(json.dumps(document))
        options = ["--config", "mine.json"]
    with serving(tmp_path, options, {**LOOPBACK, **environ}) as server:
        client = PusherClient(server.port, DEMO["key"], DEMO["secret"])
        assert (await client.expect_refusal())[0] == 4001
        library = pusher.Pusher(**DEMO, host="127.0.0.1", port=server.port, ssl=False)
        with pytest.raises(pusher.errors.PusherBadStatus, match="404"):
            await asyncio.to_thread(library.trigger, "news", "created", {})
        assert server.stop() == 0
    assert "no app is configured, so no client can connect" in (tmp_path / "server.log").read_text()
    checked = run(tmp_path, "check-config", *options[1:], environ=environ)
    assert checked.returncode == 0
    assert "  apps         none\n" in checked.stdout


@pytest.mark.parametrize(("secret", "is_warned"), [("app-secret", True), ("hush", False)])
def test_the_public_secret_in_a_file_is_warned_about(secret: str, *, is_warned: bool, tmp_path: Path) -> None:
    document = {"app_manager": {"array": {"apps": [{"id": "a", "key": "k", "secret": secret}]}}}
    (tmp_path / "mine.json").write_text(json.dumps(document))
    checked = run(tmp_path, "check-config", "mine.json", environ={})
    assert checked.returncode == 0
    assert ('warning: app "a" has the secret of the demo app, which is public knowledge' in checked.stdout) is is_warned
