"""Official libraries publish, and real clients subscribe, over the server's own TLS: one process, and workers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pusher
import pytest
from pusher.errors import PusherBadAuth

from tests.clients.doors import TlsClient, tls_settings, trusting
from tests.libraries.apps import APP, APP_ID
from tests.libraries.test_node import app_environ, node_program, run
from tests.servers.certificates import Certificate, make_certificate
from tests.servers.server import KEY, SECRET
from tests.servers.workers import WorkersProcess, workers_process

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="workers are tested where their ports are balanced"),
    pytest.mark.parametrize("workers", [1, 2]),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate and its key."""
    return make_certificate(tmp_path_factory.mktemp("made"))


@contextlib.asynccontextmanager
async def serving(folder: Path, made: Certificate, workers: int) -> AsyncIterator[WorkersProcess]:
    """Run a server whose port speaks TLS."""
    apps = {"array": {"apps": [APP]}}
    async with workers_process(folder, workers=workers, app_manager=apps, ssl=tls_settings(made)) as server:
        await server.greeted()
        yield server


def library(port: int, made: Certificate, secret: str = SECRET) -> Any:
    """Return the official Python library, which trusts this certificate only."""
    api = pusher.Pusher(app_id=APP_ID, key=KEY, secret=secret, host="127.0.0.1", port=port, ssl=True)
    api._pusher_client.http.options["verify"] = str(made.cert)
    return api


async def test_pusher_js_hears_the_node_library_over_tls(tmp_path: Path, made: Certificate, workers: int) -> None:
    node = node_program()
    async with serving(tmp_path, made, workers) as server:
        environ = app_environ(server.port) | {"NODE_EXTRA_CA_CERTS": str(made.cert)}
        status, output = await asyncio.to_thread(run, [node, "over-tls.mjs"], environ)
    assert (status, output.splitlines()[-1:]) == (0, ["18 events over TLS"]), output


async def test_a_client_hears_the_python_library_over_tls(tmp_path: Path, made: Certificate, workers: int) -> None:
    async with serving(tmp_path, made, workers) as server, contextlib.AsyncExitStack() as stack:
        api = library(server.port, made)
        clients = [await stack.enter_async_context(TlsClient(server.port, trusting(made))) for _ in range(6)]
        for client in clients:
            auth = api.authenticate("private-room", client.socket_id)
            await client.send({"event": "pusher:subscribe", "data": {"channel": "private-room"} | auth})
            while (await client.receive())["event"] != "pusher_internal:subscription_succeeded":
                pass
        assert await asyncio.to_thread(api.trigger, "private-room", "event", {"text": "Grüße"}) == {}
        for client in clients:
            while (frame := await client.receive())["event"] != "event":
                pass
            assert json.loads(frame["data"]) == {"text": "Grüße"}
        found = await asyncio.to_thread(api.channel_info, "private-room", ["subscription_count"])
        assert found == {"occupied": True, "subscription_count": 6}


async def test_a_wrong_secret_is_refused_over_tls_too(tmp_path: Path, made: Certificate, workers: int) -> None:
    async with serving(tmp_path, made, workers) as server:
        with pytest.raises(PusherBadAuth):
            await asyncio.to_thread(library(server.port, made, "wrong").trigger, "news", "event", {})
