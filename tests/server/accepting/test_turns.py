"""Over TLS, too, no client holds the event loop for longer than a turn may take."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
from collections.abc import Iterator

import pytest

from tests.clients.attack import until
from tests.clients.client import WAIT
from tests.clients.doors import get, streams, tls_settings, trusting
from tests.servers.certificates import Certificate
from tests.support.turns import TOLERATED_TURN, watched_server


@pytest.fixture(autouse=True)
def _collector_rests() -> Iterator[None]:
    """Let no collection go through what tests have made before, as in a server that has started."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def hello(context: ssl.SSLContext) -> bytes:
    """Return the first message of a client's handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


async def test_a_storm_of_handshakes_is_carried_out_in_short_turns(made: Certificate) -> None:
    async with watched_server(ssl=tls_settings(made)) as server, contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(streams(server.port)) for _ in range(150)]
        await until(lambda: server.running.assembly.front.open_count == len(opened))
        first = hello(trusting(made))
        server.meter.take()
        for _, writer in opened:
            writer.write(first)
        for reader, _ in opened:
            assert (await asyncio.wait_for(reader.readexactly(1), 10 * WAIT)) == b"\x16"
        assert server.meter.take() < TOLERATED_TURN


async def test_pipelined_requests_over_tls_are_answered_in_short_turns(made: Certificate) -> None:
    count = 10_000
    async with watched_server(ssl=tls_settings(made)) as server:
        async with streams(server.port, trusting(made)) as (reader, writer):
            server.meter.take()
            writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * count + get())
            raw = await asyncio.wait_for(reader.read(), 20 * WAIT)
        assert raw.count(b"HTTP/1.1 ") == count + 1
        assert server.meter.take() < TOLERATED_TURN
