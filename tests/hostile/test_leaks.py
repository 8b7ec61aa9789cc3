"""After any number of sessions everything is as it was: nothing of a client stays, not even for the collector."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.clients.attack import Attacker, until
from tests.clients.client import ApiClient, signature
from tests.clients.frames import TEXT, masked_close, masked_frame, read_server_frames
from tests.clients.raw import HttpConnection, upgrade_bytes
from tests.servers.server import KEY, RunningServer, app, running_server

CYCLES = 2000
WARM_UP = 200


@pytest.fixture
def _without_collector() -> Iterator[None]:
    """Whatever is only reachable from itself stays, and is counted."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def ours() -> Counter[str]:
    """Count every living object of a class of ours that can be seen."""
    return Counter(
        f"{type(one).__module__}.{type(one).__qualname__}"
        for one in gc.get_objects()
        if str(type(one).__module__).startswith(("sockudo.", "httptools."))
    )


def state(server: RunningServer) -> dict[str, int]:
    """Return the size of everything in a server that grows with clients."""
    node, front = server.assembly.node, server.assembly.front
    counts = node.announcer._counts
    return {
        "apps in use": len(node.hub._apps),
        "sockets": front.websockets.open_count,
        "HTTP sockets": len(front.http_connections) - 1,
        "deadlines": len(node.keepalive._deadlines),
        "buckets": len(node.keepalive._deadlines._buckets),
        "watched": len(node.watchlist._watchers),
        "dirty": len(node.hub.flusher._dirty),
        "changed counts": len(counts._changed),
    }


def frame(event: str, data: object) -> bytes:
    return masked_frame(TEXT, json.dumps({"event": event, "data": data}).encode())


async def one_session(server: RunningServer, api: HttpConnection, number: int) -> None:
    """Connect, sign in, join three channels, publish, receive, leave in one of several ways."""
    client, room = Attacker(server.port), f"presence-room-{number % 50}"
    await client.send(upgrade_bytes("/app/app-key"))
    data = await client.receive()
    (_, established), *_ = read_server_frames(data.partition(b"\r\n\r\n")[2])[0]
    socket_id = json.loads(json.loads(established)["data"])["socket_id"]
    member = json.dumps({"user_id": f"user-{number}"})
    user = json.dumps({"id": f"user-{number}", "watchlist": [f"user-{number + 1}", "nobody"]})
    await client.send(
        frame("pusher:signin", {"auth": f"{KEY}:{signature(f'{socket_id}::user::{user}')}", "user_data": user})
        + frame("pusher:subscribe", {"channel": "news"})
        + frame("pusher:subscribe", {"channel": f"own-{number}"})
        + frame(
            "pusher:subscribe",
            {"channel": room, "auth": f"{KEY}:{signature(f'{socket_id}:{room}:{member}')}", "channel_data": member},
        )
        + frame("pusher:unsubscribe", {"channel": "news"})
        + b"not a frame"[: number % 2]
    )
    body = json.dumps({"name": "last", "channels": [room, f"own-{number}"], "data": "x"}).encode()
    seen = b""
    while room.encode() not in seen:
        seen += await client.receive()
    target = ApiClient(server.port).target("POST", "/events", body)
    assert (await api.request("POST", target, body)).status == 200
    while b'"last"' not in seen:
        seen += await client.receive()
    match number % 4:
        case 0:
            await client.send(masked_close(1000))
            await client.receive_all()
        case 1:
            client.half_close()
            await client.receive_all()
        case 2:
            client.reset()
            return
    client.close()


@pytest.mark.usefixtures("_without_collector")
async def test_thousands_of_sessions_leave_every_count_exactly_as_it_was() -> None:
    settings = app(enable_user_authentication=True, enable_watchlist_events=True, enable_subscription_count=True)
    async with running_server(settings) as server, HttpConnection(server.port) as api:
        for number in range(WARM_UP):
            await one_session(server, api, number)
        await until(lambda: not any(state(server).values()))
        before = ours()
        for start in range(WARM_UP, WARM_UP + CYCLES, 20):
            # One after the other over one HTTP connection, and ten sessions that overlap in between.
            for number in range(start, start + 10):
                await one_session(server, api, number)
            others = [HttpConnection(server.port) for _ in range(10)]
            for other in others:
                await other.__aenter__()
            await asyncio.gather(
                *(
                    one_session(server, other, number)
                    for other, number in zip(others, range(start + 10, start + 20), strict=True)
                )
            )
            for other in others:
                await other.__aexit__(None, None, None)
        await until(lambda: not any(state(server).values()))
        counters = server.assembly.node.counters
        assert counters.connections == counters.disconnections == WARM_UP + CYCLES
        assert ours() - before == Counter()


@pytest.mark.usefixtures("_without_collector")
async def test_hostile_peers_leave_nothing_for_the_collector() -> None:
    attacks = [
        b"garbage\r\n\r\n",
        b"GET /up HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
        b"GET /" + b"a" * 20_000,
        b"GET /up HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}x",
        upgrade_bytes("/app/nobody"),
        upgrade_bytes("/app/app-key").replace(b"13", b"12"),
        upgrade_bytes("/app/app-key") + masked_frame(TEXT, b"\xff"),
        upgrade_bytes("/app/app-key") + masked_frame(TEXT, b"[" * 50_000),
        upgrade_bytes("/app/app-key") + b"\x81\xff" + b"\x40" + b"\0" * 7 + b"key!",
        upgrade_bytes("/app/app-key") + masked_frame(TEXT, b"x" * 300, fin=False),
    ]
    async with running_server() as server, HttpConnection(server.port) as api:
        assert (await api.request("GET", "/up")).status == 200

        async def attack() -> None:
            for data in attacks:
                attacker = Attacker(server.port)
                await attacker.send(data)
                attacker.half_close()
                await attacker.receive_all()
                attacker.close()
            await until(lambda: not any(state(server).values()))

        await attack()
        before = ours()
        for _ in range(20):
            await attack()
        assert ours() - before == Counter()
