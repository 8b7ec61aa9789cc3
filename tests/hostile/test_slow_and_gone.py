"""Peers that are slow, silent, many, or suddenly gone: others are not delayed, and nothing of them stays behind."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sockudo.assembly.server import Assembly
from tests.clients.attack import (
    CHANNEL,
    Attacker,
    Bystander,
    Target,
    bystander,
    subscribers,
    under_attack,
    until,
    until_subscribers,
)
from tests.clients.client import ApiClient, PusherClient, http
from tests.clients.frames import TEXT, masked_close, masked_frame, read_server_frames
from tests.clients.raw import RawWebSocket, upgrade_bytes
from tests.fakes.http_socket import read_answers
from tests.servers.server import RunningServer, running_server

SUBSCRIBE = masked_frame(TEXT, b'{"event":"pusher:subscribe","data":{"channel":"%b"}}' % CHANNEL.encode())
UPGRADE = upgrade_bytes("/app/app-key")
POST = b"POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"

# What a peer may have sent when it stops, and whether a WebSocket has been opened by then.
STAGES: dict[str, bytes] = {
    "nothing": b"",
    "half a method": b"GE",
    "half a URL": b"GET /up",
    "half a head": b"GET /up HTTP/1.1\r\nHos",
    "head without its end": b"GET /up HTTP/1.1\r\nHost: x\r\n",
    "half a body": POST + b"x" * 50,
    "half a chunk": POST.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked") + b"5\r\nab",
    "a request": b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n",
    "a refused request": b"garbage\r\n\r\n",
    "half a handshake": UPGRADE[:-20],
    "a handshake": UPGRADE,
    "a refused handshake": upgrade_bytes("/app/nobody"),
    "half a frame head": UPGRADE + b"\x81",
    "half a frame": UPGRADE + SUBSCRIBE[:20],
    "half a message": UPGRADE + masked_frame(TEXT, b"abc", fin=False),
    "a subscription": UPGRADE + SUBSCRIBE,
    "a violation": UPGRADE + b"\xff" * 50,
    "a close frame": UPGRADE + SUBSCRIBE + masked_close(1000),
}


def remains(assembly: Assembly) -> dict[str, int]:
    """Return how many of everything a server has that belongs to a peer."""
    node, front = assembly.node, assembly.front
    return {
        "HTTP sockets": len(front.http_connections),
        "WebSockets": front.websockets.open_count,
        "connections": len(list(node.hub.connections())),
        "channels": len(node.hub.channels("1")),
        "deadlines of sockets": len(front.timeouts._deadlines),
        "deadlines of connections": len(node.keepalive._deadlines),
        "watched users": len(node.watchlist._watchers),
    }


async def expect_nothing_left(server: RunningServer) -> None:
    """Wait until nothing of any peer is left."""
    await until(lambda: not any(remains(server.assembly).values()))


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    """A server in this event loop, whose inside can be looked at."""
    async with running_server() as running:
        yield running
        await expect_nothing_left(running)
        assert running.assembly.node.counters.connections == running.assembly.node.counters.disconnections


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("way", ["reset", "close"])
async def test_a_peer_that_goes_at_any_stage_leaves_nothing_behind(stage: str, way: str, server: RunningServer) -> None:
    async with bystander(server.port):
        before = remains(server.assembly)
        for _ in range(5):
            attacker = Attacker(server.port)
            await attacker.send(STAGES[stage])
            # What is answered shows that the server has got this far.
            if b"\r\n\r\n" in STAGES[stage] and "half" not in stage:
                await attacker.receive()
            getattr(attacker, way)()
        await until(lambda: remains(server.assembly) == before)


@pytest.mark.parametrize("stage", STAGES)
async def test_a_peer_that_is_done_gets_its_answer_first(stage: str, server: RunningServer) -> None:
    attacker = Attacker(server.port)
    await attacker.send(STAGES[stage])
    attacker.half_close()
    data = await attacker.receive_all()
    attacker.close()
    if stage == "a request":
        assert [answer.status for answer in read_answers(data)] == [200]
    elif stage == "a subscription":
        frames, rest = read_server_frames(data.partition(b"\r\n\r\n")[2])
        assert rest == b""
        assert json.loads(frames[1][1])["event"] == "pusher_internal:subscription_succeeded"


async def test_the_same_stages_in_a_server_of_its_own(target: Target, witness: Bystander) -> None:
    for data in STAGES.values():
        for way in (Attacker.reset, Attacker.close):
            attackers = [Attacker(target.port) for _ in range(5)]
            for attacker in attackers:
                await attacker.send(data)
            for attacker in attackers:
                way(attacker)
    await until_subscribers(target.port, 1)


async def test_two_hundred_half_open_requests_delay_nobody(target: Target, witness: Bystander) -> None:
    starts = [b"", b"G", b"GET /up HTTP/1.1\r\nHost", POST, POST + b"x" * 99, UPGRADE[:-2], UPGRADE + SUBSCRIBE[:9]]
    attackers = [Attacker(target.port) for _ in range(200)]
    for number, attacker in enumerate(attackers):
        await attacker.send(starts[number % len(starts)])
    await witness.expect_events(30)
    async with PusherClient(target.port) as late:
        await late.subscribe("late")
        await ApiClient(target.port).trigger("late", "1")
        await late.expect("event")
    assert (await http(target.port, "GET", "/up")).status == 200
    for attacker in attackers:
        attacker.close()


async def test_half_open_requests_are_ended_by_their_deadlines() -> None:
    async with running_server(speed=20) as server:
        attackers = [Attacker(server.port) for _ in range(60)]
        starts = [b"", b"G", b"GET /up HTTP/1.1\r\nHost: x\r\n", POST + b"x" * 99]
        for number, attacker in enumerate(attackers):
            await attacker.send(starts[number % len(starts)])
        for number, attacker in enumerate(attackers):
            statuses = [answer.status for answer in read_answers(await attacker.receive_all())]
            assert statuses == ([408] if number % len(starts) else [])
            attacker.close()
        await expect_nothing_left(server)


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"GET /up HTTP/1.1\r\nX: ", b"a"),
        (b"GET ", b" "),
        (b"", b"\r\n"),
        (b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n"),
        (POST, b"x"),
    ],
    ids=["header", "blanks", "empty lines", "empty lines after a request", "body"],
)
async def test_bytes_that_drip_in_win_no_time(start: bytes, drop: bytes) -> None:
    async with running_server(speed=50) as server:
        attacker = Attacker(server.port)
        receiving = asyncio.ensure_future(attacker.receive_all())
        await attacker.send(start)
        sent = 0
        while not receiving.done():
            # The longest of these deadlines takes 1.5 s here; a body is complete after 100 drops.
            assert sent < 95 if start is POST else sent < 400
            await attacker.send(drop)
            sent += 1
            await asyncio.wait({receiving}, timeout=0.01)
        statuses = [answer.status for answer in read_answers(await receiving)]
        assert statuses == ([200] if b"Host: x\r\n\r\n" in start else [408] if start else [])
        attacker.close()
        await expect_nothing_left(server)


async def test_a_frame_that_drips_in_is_a_sign_of_life(server: RunningServer) -> None:
    async with bystander(server.port) as witness, RawWebSocket(server.port) as client:
        await client.open()
        for byte in SUBSCRIBE:
            await client.write(bytes([byte]))
        assert (await client.event())["event"] == "pusher_internal:subscription_succeeded"
        await client.write(masked_close(1000))
        await client.expect_close()
        await until(lambda: server.assembly.front.websockets.open_count == 1)
        await witness.expect_events()


async def test_a_storm_of_reconnects_leaves_nothing_behind(server: RunningServer) -> None:
    async def connect_and_go(number: int) -> None:
        attacker = Attacker(server.port)
        await attacker.send(UPGRADE + SUBSCRIBE)
        await attacker.receive()
        (attacker.reset if number % 2 else attacker.close)()

    async with bystander(server.port) as witness:
        for start in range(0, 1000, 100):
            await asyncio.gather(*(connect_and_go(number) for number in range(start, start + 100)))
            await witness.expect_events(1)
        await until(lambda: server.assembly.front.websockets.open_count == 1)
    assert server.assembly.node.counters.connections == 1001


async def test_one_connection_on_thousands_of_channels_leaves_all_of_them() -> None:
    limits = {"max_channels_per_connection": 0}
    async with (
        running_server(channel_limits=limits) as server,
        bystander(server.port) as witness,
        RawWebSocket(server.port) as client,
    ):
        await client.open()
        for start in range(0, 5000, 100):
            await client.write(
                b"".join(
                    masked_frame(TEXT, b'{"event":"pusher:subscribe","data":{"channel":"c-%d"}}' % number)
                    for number in range(start, start + 100)
                )
            )
            for _ in range(100):
                assert (await client.event())["event"] == "pusher_internal:subscription_succeeded"
        assert len(server.assembly.node.hub.channels("1")) == 5001
        await witness.expect_events()
        await client.write(masked_close(1000))
        await client.expect_close()
        slices = server.assembly.node.slices
        await until(lambda: slices.is_idle)
        assert len(server.assembly.node.hub.channels("1")) == 1


async def test_a_flood_of_frames_delays_others_by_one_read(target: Target, witness: Bystander) -> None:
    floods = {
        "pings": b"\x89\x80key!" * 20_000,
        "no JSON": masked_frame(TEXT, b"x") * 20_000,
        "subscribe": SUBSCRIBE * 5000,
    }
    for flood in floods.values():
        attacker = Attacker(target.port)
        await attacker.send(UPGRADE)
        await attacker.receive()
        for _ in range(10):
            attacker.try_to_send(flood)
            await witness.expect_events(1)
        attacker.reset()


async def test_sockets_that_never_read_are_dropped_and_cost_readers_nothing(tmp_path: Path) -> None:
    count, buffer_kb = 300, 64
    data = "x" * 9000
    with under_attack(tmp_path, websocket={"max_buffer_kb": buffer_kb}) as target:
        attackers = [Attacker(target.port, receive_buffer=4096) for _ in range(count)]
        for attacker in attackers:
            await attacker.send(UPGRADE + SUBSCRIBE)
        api = ApiClient(target.port)
        async with PusherClient(target.port) as reader:
            await reader.subscribe(CHANNEL)
            await until_subscribers(target.port, count + 1)
            before = peak = target.rss
            published = 0
            while await subscribers(target.port) > 1:
                for _ in range(20):
                    await api.trigger(CHANNEL, f"{published} {data}")
                    published += 1
                peak = max(peak, target.rss)
                assert published < 5000, "stalled sockets are never dropped"
            for number in range(published):
                assert (await reader.receive())["data"] == f"{number} {data}"
        # All buffers at their bound, each with its error and close frame, and a little for the allocator.
        assert peak - before < count * (buffer_kb << 10) + (8 << 20), (peak - before) >> 10
        for attacker in attackers:
            attacker.close()
    # A few lines, and the number of the others.
    text = target.log.read_text()
    more = [int(number) for number in re.findall(r"slow consumer dropped: and (\d+) more", text)]
    assert text.count('"slow consumer dropped"') + sum(more) == count
