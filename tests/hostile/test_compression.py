"""What clients with compression send: bombs and garbage end their own connection, and no turn takes long."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.clients.attack import Bystander, Target, under_attack
from tests.clients.client import ApiClient
from tests.clients.frames import BINARY, CONTINUATION, PING, TEXT, masked_close, masked_frame
from tests.clients.raw import RawWebSocket, upgrade_bytes
from tests.support.turns import TOLERATED_TURN, watched_server

OFFER = "permessage-deflate; client_max_window_bits"
RSV1 = 4
MEGABYTE = 1024 * 1024


def packed(text: bytes, level: int = 9) -> bytes:
    compressor = zlib.compressobj(level, wbits=-15)
    return (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def message(text: bytes, opcode: int = TEXT) -> bytes:
    return masked_frame(opcode, packed(text), rsv=RSV1)


BOMB = message(b"\0" * (60 * MEGABYTE))

ATTACKS = {
    "a bomb": (BOMB, 1009),
    "a bomb in a binary message": (message(b"\0" * (60 * MEGABYTE), BINARY), 1009),
    "a bomb in fragments": (
        masked_frame(TEXT, packed(b"x" * MEGABYTE)[:500], rsv=RSV1, fin=False)
        + masked_frame(CONTINUATION, packed(b"x" * MEGABYTE)[500:]),
        1009,
    ),
    "garbage": (masked_frame(TEXT, os.urandom(200) + b"\xff\xff", rsv=RSV1), 1007),
    "a stream cut off": (masked_frame(TEXT, packed(b'{"event":"pusher:ping"}')[:-4], rsv=RSV1), 1007),
    "a compressed ping": (masked_frame(PING, b"", rsv=RSV1), 1002),
    "text that is not UTF-8": (message(b"\xc3("), 1007),
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server with compression."""
    with under_attack(tmp_path_factory.mktemp("target"), websocket={"compression": "shared"}) as target:
        yield target


@asynccontextmanager
async def compressing(port: int, offer: str = OFFER) -> AsyncIterator[RawWebSocket]:
    """Open a socket that has agreed on compression."""
    async with RawWebSocket(port) as client:
        await client.write(upgrade_bytes("/app/app-key", {"Sec-WebSocket-Extensions": offer}))
        status, headers = await client.head()
        assert (status, "permessage-deflate" in headers["sec-websocket-extensions"]) == (101, True)
        await client.event()
        yield client


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_bad_message_ends_its_connection_with_its_code(name: str, target: Target, witness: Bystander) -> None:
    data, code = ATTACKS[name]
    async with compressing(target.port) as offender:
        await offender.write(data)
        assert (await offender.expect_close())[0] == code
        await witness.expect_events(2)
        await offender.expect_end()


async def test_bombs_on_many_sockets_take_no_memory(target: Target, witness: Bystander) -> None:
    before = target.rss

    async def throw() -> None:
        async with compressing(target.port) as offender:
            await offender.write(BOMB)
            assert (await offender.expect_close())[0] == 1009

    for _ in range(5):
        await asyncio.gather(*(throw() for _ in range(20)))
    assert target.rss - before < 20 * MEGABYTE


def expensive() -> dict[str, bytes]:
    """Return messages that cost much to inflate for their size."""
    ping = b'{"event":"pusher:ping","data":{}}'
    long = json.dumps({"event": "pusher:pong", "data": "x"}).encode()
    return {
        "a fragment that inflates to 30 MB": masked_frame(TEXT, packed(b" " * 30 * MEGABYTE), rsv=RSV1, fin=False),
        "many that inflate to 60 KB": message(long + b" " * 60_000) * 400,
        "many tiny ones": message(ping) * 5000,
        "many streams in one": masked_frame(TEXT, b"\3\0" * 63 + packed(long), rsv=RSV1) * 300,
    }


@pytest.mark.parametrize(
    "name",
    [
        "a fragment that inflates to 30 MB",
        "many that inflate to 60 KB",
        "many tiny ones",
        "many streams in one",
    ],
)
async def test_messages_are_inflated_in_short_turns(name: str) -> None:
    changes = {"websocket": {"compression": "shared"}, "websocket_max_payload_kb": 40_000}
    async with watched_server(**changes) as server, compressing(server.port) as client:
        await client.write(expensive()[name])
        await client.write(masked_frame(PING, b"last") + masked_close(1000))
        while (frame := await client.frame()) != (10, b"last"):
            assert frame[0] == TEXT, frame
        assert server.meter.take() < TOLERATED_TURN


async def test_cached_events_are_compressed_in_short_turns() -> None:
    """One read asks for many; none of them is remembered, and the data hardly compress."""
    async with watched_server(websocket={"compression": "shared"}) as server, compressing(server.port) as client:
        names = [f"cache-{number}" for number in range(40)]
        for name in names:
            data = base64.b64encode(os.urandom(40_000)).decode()
            await ApiClient(server.port).trigger(name, data)
        server.meter.take()
        asked = [json.dumps({"event": "pusher:subscribe", "data": {"channel": name}}).encode() for name in names]
        await client.write(b"".join(masked_frame(TEXT, one) for one in asked))
        for _ in range(2 * len(names)):
            await client.frame()
        assert server.meter.take() < TOLERATED_TURN


async def test_large_events_are_compressed_in_short_turns() -> None:
    """Each channel has subscribers with either window, and the data hardly compress."""
    async with (
        watched_server(websocket={"compression": "shared"}) as server,
        compressing(server.port) as one,
        compressing(server.port, "permessage-deflate; server_max_window_bits=9") as other,
    ):
        channels = [f"c{number}" for number in range(27)]
        for name in channels:
            for client in (one, other):
                await client.send_event("pusher:subscribe", {"channel": name})
                await client.event()
        server.meter.take()
        data = base64.b64encode(os.urandom(75_000)).decode()
        answer = await ApiClient(server.port).post("/events", {"name": "e", "channels": channels, "data": data})
        assert answer.status == 200
        for _ in channels:
            await asyncio.gather(one.frame(), other.frame())
        assert server.meter.take() < TOLERATED_TURN
