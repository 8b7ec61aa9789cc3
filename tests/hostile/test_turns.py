"""What one peer sends, on however many sockets, holds the event loop for no longer than a turn may take."""

from __future__ import annotations

import asyncio

import pytest

from tests.clients.attack import Attacker, exchange, until
from tests.clients.client import ApiClient
from tests.clients.frames import PING, TEXT, masked_frame
from tests.clients.raw import upgrade_bytes
from tests.fakes.memory_bus import MemoryBus
from tests.support.turns import TOLERATED_TURN, WatchedServer, watched_server

GET = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = upgrade_bytes("/app/app-key")
KEY_404 = b"/apps/nobody/events"


def requests(server: WatchedServer) -> dict[str, bytes]:
    """Return requests that cost much for their size."""
    body = b'{"name":"e","channel":"c","data":"d"}'
    signed = ApiClient(server.port).target("POST", "/events", body).encode()
    channels = ApiClient(server.port).target("GET", "/channels").encode()
    post = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
    return {
        "usage": GET % b"/usage",
        "unknown path": GET % b"/x",
        "unknown app": post % (KEY_404, len(body), body),
        "publish": post % (signed, len(body), body),
        "channels": GET % channels,
        "head": b"HEAD /up HTTP/1.1\r\nHost: x\r\n\r\n",
        "upgrade elsewhere": GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n") % b"/up",
        "empty lines": b"\r\n" * 20,
    }


@pytest.mark.parametrize(
    "name",
    ["usage", "unknown path", "unknown app", "publish", "channels", "head", "upgrade elsewhere", "empty lines"],
)
async def test_pipelined_requests_are_answered_in_short_turns(name: str) -> None:
    async with watched_server() as server:
        request = requests(server)[name]
        count = 600_000 // len(request)
        raw = await exchange(server.port, request * count + LAST)
        assert raw.count(b"HTTP/1.1 ") == (1 if name == "empty lines" else count + 1)
        assert server.meter.take() < TOLERATED_TURN


async def test_a_body_of_one_byte_chunks_takes_short_turns() -> None:
    async with watched_server() as server:
        body = b"x" * 250_000
        target = ApiClient(server.port).target("POST", "/events", body).encode()
        raw = await exchange(server.port, CHUNKED % target + b"1\r\nx\r\n" * len(body) + b"0\r\n\r\n" + LAST)
        # The body is no JSON, and the socket goes on.
        assert (raw.count(b"HTTP/1.1 400 "), raw.count(b"HTTP/1.1 200 ")) == (1, 1)
        assert server.meter.take() < TOLERATED_TURN


@pytest.mark.parametrize("end", [b"0\r\nA: ", b"0\r\n", b"1;", b"0", b"1\r\nx\r\n0;"])
async def test_an_endless_line_after_bodies_is_431_in_short_turns(end: bytes) -> None:
    async with watched_server() as server:
        attacker = Attacker(server.port)
        filler = (b"0" if end == b"0" else b"a") * 20_000_000
        await attacker.send(CHUNKED % b"/apps/1/events" + end)
        raw = b""
        receiving = asyncio.ensure_future(attacker.receive_all())
        await attacker.send(filler)
        attacker.half_close()
        raw = await receiving
        attacker.close()
        assert raw.startswith(b"HTTP/1.1 431 ")
        assert server.meter.take() < TOLERATED_TURN


@pytest.mark.parametrize("sockets", [1, 30])
async def test_what_follows_a_refusal_is_thrown_away_in_short_turns(sockets: int) -> None:
    async with watched_server() as server:
        data = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + b"x" * (60_000_000 // sockets)
        raws = await asyncio.gather(*(exchange(server.port, data, half_close=True) for _ in range(sockets)))
        assert all(raw.startswith(b"HTTP/1.1 413 ") for raw in raws)
        assert server.meter.take() < TOLERATED_TURN


async def test_many_sockets_share_the_time_of_a_turn() -> None:
    async with watched_server() as server:
        data = GET % b"/x" * 4000 + LAST
        raws = await asyncio.gather(*(exchange(server.port, data) for _ in range(25)))
        assert [raw.count(b"HTTP/1.1 ") for raw in raws] == [4001] * 25
        assert server.meter.take() < TOLERATED_TURN


FLOODS = {
    "empty text": masked_frame(TEXT, b""),
    "ping": masked_frame(PING, b"x" * 100),
    "command": masked_frame(TEXT, b'{"event":"pusher:ping","data":{}}'),
    "large": masked_frame(TEXT, b'{"event":"x","data":"%b"}' % (b"x" * 60_000)),
}


@pytest.mark.parametrize("name", FLOODS)
async def test_frame_floods_from_50_sockets_are_handled_in_short_turns(name: str) -> None:
    async with watched_server() as server:
        attackers = [Attacker(server.port) for _ in range(50)]
        for attacker in attackers:
            await attacker.send(UPGRADE)
            await attacker.receive()
        server.meter.take()
        flood = FLOODS[name] * (200_000 // len(FLOODS[name]))
        receiving = [asyncio.ensure_future(attacker.receive_all()) for attacker in attackers]
        await asyncio.gather(*(attacker.send(flood) for attacker in attackers))
        for attacker in attackers:
            await attacker.send(masked_frame(8, b""))
        await asyncio.gather(*receiving)
        for attacker in attackers:
            attacker.close()
        assert server.meter.take() < TOLERATED_TURN


async def test_frames_that_waited_for_a_subscription_take_short_turns() -> None:
    # On a bus every subscriber of a new channel waits for the same answer, with what it has sent meanwhile.
    async with watched_server(adapter=MemoryBus().adapter()) as server:
        attackers: list[Attacker] = []
        await open_many(server, attackers, 100, UPGRADE)
        receiving = [asyncio.ensure_future(attacker.receive_all()) for attacker in attackers]
        server.meter.take()
        flood = subscription(b"new") + subscription(b"private-x") * 250 + masked_frame(8, b"")
        await asyncio.gather(*(attacker.send(flood) for attacker in attackers))
        raws = await asyncio.gather(*receiving)
        for attacker in attackers:
            attacker.close()
        assert [raw.count(b"subscription_succeeded") for raw in raws] == [1] * 100
        assert [raw.count(b"pusher:subscription_error") for raw in raws] == [250] * 100
        assert server.meter.take() < TOLERATED_TURN


def subscription(channel: bytes) -> bytes:
    """Return a frame that asks for a channel, with no signature that is valid."""
    data = b'{"channel":"%b","auth":"app-key:x"}' % channel
    return masked_frame(TEXT, b'{"event":"pusher:subscribe","data":%b}' % data)


async def test_other_clients_are_answered_while_floods_go_on() -> None:
    async with watched_server() as server:
        flood = [asyncio.ensure_future(exchange(server.port, GET % b"/x" * 20_000 + LAST)) for _ in range(5)]
        answered = 0
        while not all(one.done() for one in flood):
            raw = await exchange(server.port, LAST)
            assert raw.startswith(b"HTTP/1.1 200 ")
            answered += 1
        await asyncio.gather(*flood)
        assert answered >= 5


async def open_many(server: WatchedServer, attackers: list[Attacker], count: int, first: bytes) -> None:
    """Open sockets that send so much and nothing more."""
    for number in range(count):
        attackers.append(Attacker(server.port))
        await attackers[-1].send(first)
        if number % 50 == 49:
            # The listener's backlog is short.
            await until(lambda: server.running.assembly.front.open_count >= len(attackers))


@pytest.mark.parametrize(
    "first", [b"GET /up HTTP/1.1\r\n", b"", UPGRADE], ids=["half a head", "nothing", "a silent client"]
)
async def test_sockets_that_expire_together_end_in_short_turns(first: bytes) -> None:
    attackers: list[Attacker] = []
    async with watched_server() as server:
        front, keepalive = server.running.assembly.front, server.running.assembly.node.keepalive

        async def let_time_pass() -> None:
            for connection in server.running.assembly.node.hub.connections():
                connection.last_activity -= 130
                connection.pinged_at = connection.pinged_at and connection.pinged_at - 130
            for ticker in (front.timeouts, keepalive):
                ticker.now += 130
                ticker.second_passed()

        try:
            await open_many(server, attackers, 6000, first)
            server.meter.take()
            async with asyncio.timeout(60):
                while front.open_count:
                    await server.do(let_time_pass)
            assert server.meter.take() < TOLERATED_TURN
        finally:
            for attacker in attackers:
                attacker.close()
