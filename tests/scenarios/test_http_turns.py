"""No request of a back end holds up the event loop, however large it is."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.clients.client import Answer, ApiClient, PusherClient
from tests.servers.server import KEY
from tests.support.turns import TOLERATED_TURN, WatchedServer, watched_server

MEGABYTE = 1024 * 1024
EVENT = b'{"name":"n","channel":"c","data":%b}'
PRESENCE = {"presence": {"max_members_per_channel": 10_000}}


@pytest.fixture(autouse=True)
def _collector_at_rest() -> Iterator[None]:
    """Keep the collector from walking over all that tests have made: a server lets it rest too."""
    gc.disable()
    yield
    gc.enable()


async def bounded(server: WatchedServer, request: Any) -> Answer:
    """Make a request, and check that no turn of the server was long."""
    server.meter.take()
    answer: Answer = await request
    longest = server.meter.take()
    assert longest < TOLERATED_TURN, f"{longest * 1000:.1f} ms"
    return answer


async def subscribe_all(server: WatchedServer, names: list[str]) -> ClientConnection:
    """Put one connection on many channels."""
    url = f"ws://127.0.0.1:{server.port}/app/{KEY}"
    socket = await connect(url, max_queue=None, max_size=None, proxy=None, ping_interval=None)
    await socket.recv()
    for name in names:
        await socket.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": name}}))
    for _ in range(len(names) + sum(name.startswith("cache-") for name in names)):
        await socket.recv()
    return socket


@pytest.mark.parametrize(
    ("path", "body", "status", "begin"),
    [
        ("/events", EVENT % (b"[%b0]" % (b"0," * 2 * MEGABYTE)), 413, "The data content of this event"),
        ("/events", EVENT % (b'{"a":%b"x"}' % (b" " * 4 * MEGABYTE)), 200, ""),
        ("/events", EVENT % (b'"%b"' % (b'\\"' * 102_401)), 413, "The data content of this event"),
        ("/events", b'{"channels":[%b""]}' % (b'"",' * 1_300_000), 403, "Publishing to more than 100 channels"),
        (
            "/events",
            b'{"name":"n","data":"x","channels":[%b""]}' % (b'"",' * 20_000),
            403,
            "Publishing to 20001 channels",
        ),
        ("/events", b'{"info":"%b"}' % (b"," * 4 * MEGABYTE), 400, "Invalid request"),
        ("/events", b'{"x":%b' % (b"[" * 4 * MEGABYTE), 400, "Invalid request"),
        ("/events", EVENT % b'"x"' + b"\xc3\xa9" * 2 * MEGABYTE, 400, "Invalid request"),
        ("/batch_events", b'{"batch":[%b{}]}' % (b"{}," * 1_300_000), 400, ""),
        ("/batch_events", b'{"batch":[%b]}' % b",".join([EVENT % b'"x"'] * 100_000), 400, "Batch too large"),
        ("/batch_events", b'{"batch":[%b]}' % b",".join([EVENT % b'"x"'] * 11), 400, "Batch too large: 11 events"),
        ("/channels/c/events", b"x" * 4 * MEGABYTE, 413, "The data content of this event"),
        ("/users/7/terminate_connections", b"x" * 4 * MEGABYTE, 200, ""),
    ],
    ids=lambda value: str(value)[:12] if not isinstance(value, bytes) else f"{value[:16]!r}-{len(value)}",
)
async def test_no_body_holds_up_the_loop(path: str, body: bytes, status: int, begin: str) -> None:
    async with watched_server() as server:
        answer = await bounded(server, ApiClient(server.port).post(path, body))
        assert answer.status == status, answer
        assert status == 200 or answer.error(status).startswith(begin)


async def test_the_largest_legal_batch_goes_out_whole_and_in_order() -> None:
    channels = [f"{number:0200}" for number in range(100)]
    batch = [{"name": f"{n}", "channels": channels, "data": "x" * 102_400} for n in range(10)]
    async with watched_server(websocket={"max_buffer_kb": 200_000}) as server:
        socket = await subscribe_all(server, channels[:3])
        answer = await bounded(server, ApiClient(server.port).post("/batch_events", {"batch": batch}))
        assert (answer.status, answer.body) == (200, b"{}")
        heard = [json.loads(await socket.recv()) for _ in range(30)]
        assert [(frame["event"], frame["channel"]) for frame in heard] == [
            (f"{n}", channel) for n in range(10) for channel in channels[:3]
        ]
        await socket.close()


async def test_a_large_batch_with_a_bad_last_event_sends_nothing() -> None:
    good = {"name": "e", "channel": "news", "data": "x" * 102_400}
    async with watched_server() as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        answer = await ApiClient(server.port).post("/batch_events", {"batch": [good] * 9 + [good | {"channel": "a b"}]})
        assert answer.status == 400
        await client.expect_nothing()


async def test_an_event_to_many_subscribers_is_sent_in_slices() -> None:
    channels = [f"c{number}" for number in range(100)]
    async with watched_server(websocket={"max_buffer_kb": 200_000}) as server:
        sockets = await asyncio.gather(*(subscribe_all(server, channels) for _ in range(100)))
        body = {"name": "e", "channels": channels, "data": "x"}
        assert (await bounded(server, ApiClient(server.port).post("/events", body))).status == 200
        assert [json.loads(await sockets[-1].recv())["channel"] for _ in channels] == channels
        await asyncio.gather(*(socket.close() for socket in sockets))


@contextlib.asynccontextmanager
async def many_channels(prefix: str, count: int) -> AsyncIterator[WatchedServer]:
    async with watched_server() as server:
        sockets = await asyncio.gather(
            *(subscribe_all(server, [f"{prefix}{i}-{n}" for n in range(1000)]) for i in range(count // 1000))
        )
        yield server
        await asyncio.gather(*(socket.close() for socket in sockets))


async def test_many_channels_are_listed_in_slices() -> None:
    async with many_channels("channel-", 20_000) as server:
        for params, expected in (({}, {}), ({"info": "subscription_count"}, {"subscription_count": 1})):
            answer = await bounded(server, ApiClient(server.port).get("/channels", **params))
            channels = answer.json()["channels"]
            assert len(channels) == 20_000
            assert channels["channel-7-7"] == expected
        answer = await bounded(server, ApiClient(server.port).get("/channels", filter_by_prefix="channel-1-99"))
        assert len(answer.json()["channels"]) == 11


async def test_a_channel_list_over_the_limit_is_refused_with_it() -> None:
    async with watched_server(http_api={"response_limit_in_mb": 1}) as server:
        names = [f"cache-{number}" for number in range(20)]
        socket = await subscribe_all(server, names)
        api = ApiClient(server.port)
        for name in names:
            await api.trigger(name, '"' * 100_000)
        text = (await bounded(server, api.get("/channels", info="cache"))).error(400)
        assert "1048576 bytes (http_api.response_limit_in_mb)" in text
        assert "filter_by_prefix" in text
        body = {"name": "e", "channels": names, "data": "x" * 100_000, "info": "cache"}
        assert "http_api.response_limit_in_mb" in (await bounded(server, api.post("/events", body))).error(400)
        few = await bounded(server, api.get("/channels", info="cache", filter_by_prefix="cache-19"))
        assert few.json()["channels"].keys() == {"cache-19"}
        assert len(await api.channels()) == 20
        await socket.close()


async def test_a_roster_that_is_requested_repeatedly_is_cheap() -> None:
    async with watched_server(**PRESENCE) as server, contextlib.AsyncExitStack() as stack:
        for number in range(100):
            client = await stack.enter_async_context(PusherClient(server.port))
            await client.subscribe("presence-room", {"user_id": f'"{number}",'})
        api = ApiClient(server.port)
        answers = await asyncio.gather(*(bounded(server, api.get("/channels/presence-room/users")) for _ in range(50)))
        ids = [user["id"] for user in answers[-1].json()["users"]]
        assert ids == [f'"{number}",' for number in range(100)]
