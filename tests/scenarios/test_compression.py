"""Compression between real sockets: clients of the library `websockets`, which offers it, and raw ones that do not.

The sizes, fragments and counts of the echoes are those of chapters 12 and 13 of the Autobahn test suite.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any, Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate

from tests.clients.client import WAIT, ApiClient, PusherClient, signature
from tests.clients.raw import RawWebSocket, upgrade_bytes
from tests.servers.nodes import Serve
from tests.servers.server import KEY, app

COMPRESSING: Final[dict[str, Any]] = {"websocket": {"compression": "shared"}}
LONG: Final = json.dumps([{"id": i, "name": f"item {i}", "tags": ["a", "b"]} for i in range(60)])


def is_compressing(client: PusherClient) -> bool:
    return any(isinstance(one, PerMessageDeflate) for one in client._socket.protocol.extensions)


async def read_frame(client: RawWebSocket) -> tuple[int, bytes]:
    """Return first byte and payload of the next frame, inflated if it is compressed."""
    first, length = await client.read_exactly(2)
    if length >= 126:
        length = int.from_bytes(await client.read_exactly(2 if length == 126 else 8))
    payload = await client.read_exactly(length)
    if first & 0x40:
        payload = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
    return first, payload


async def test_a_client_without_compression_is_served_beside_one_with(serve: Serve) -> None:
    async with (
        serve(**COMPRESSING) as server,
        PusherClient(server.port) as with_it,
        RawWebSocket(server.port) as without,
    ):
        assert is_compressing(with_it)
        await without.open()
        await without.send_event("pusher:subscribe", {"channel": "news"})
        await without.event()
        await with_it.subscribe("news")
        await server.settled()
        for data in (LONG, "short", LONG[::-1]):
            await ApiClient(server.port).trigger("news", data)
            event = {"event": "event", "channel": "news", "data": data}
            assert await with_it.receive() == event
            first, payload = await read_frame(without)
            assert (first, json.loads(payload)) == (0x81, event)


async def test_the_same_bytes_go_to_every_socket_that_compresses(serve_alone: Serve) -> None:
    """Alone, since each node compresses for its own sockets."""
    async with serve_alone(**COMPRESSING) as server, RawWebSocket(server.port) as ann, RawWebSocket(server.port) as bob:
        offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
        for client in (ann, bob):
            await client.write(upgrade_bytes("/app/app-key", offer))
            status, headers = await client.head()
            assert (status, headers["sec-websocket-extensions"]) == (
                101,
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            )
            await client.event()
            await client.send_event("pusher:subscribe", {"channel": "news"})
            await client.event()
        await ApiClient(server.port).trigger("news", LONG)
        heads = [await client.read_exactly(4) for client in (ann, bob)]
        assert heads[0] == heads[1]
        assert heads[0][0] == 0xC1
        bodies = [await client.read_exactly(int.from_bytes(heads[0][2:])) for client in (ann, bob)]
        assert bodies[0] == bodies[1]
        assert len(bodies[0]) < len(LONG) / 3
        assert json.loads(zlib.decompressobj(-15).decompress(bodies[0]))["data"] == LONG


async def test_presence_client_events_and_pings_work_compressed(serve: Serve) -> None:
    changes = {**COMPRESSING, "websocket": {"compression": "shared", "compression_min_bytes": 0}}
    async with serve(**changes) as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        info = {"name": "x" * 1000}
        await ann.subscribe("presence-room", {"user_id": "ann", "user_info": info})
        await server.settled()
        answer = await bob.subscribe("presence-room", {"user_id": "bob", "user_info": info})
        members = json.loads(answer["data"])["presence"]
        assert (members["ids"], members["hash"]["ann"]) == (["ann", "bob"], info)
        joined = await ann.expect("pusher_internal:member_added")
        assert json.loads(joined["data"]) == {"user_id": "bob", "user_info": info}
        await server.settled()
        for data in (LONG[:9000], "é€" * 500, {"a": [1, 2]}):
            await bob.trigger("presence-room", "client-said", data)
            said = await ann.expect("client-said")
            assert (said["data"], said["user_id"]) == (data, "bob")
        pong = await ann._socket.ping(b"?")
        await asyncio.wait_for(pong, WAIT)
        await ann.expect_nothing()
        await bob.close()
        left = await ann.expect("pusher_internal:member_removed")
        assert json.loads(left["data"]) == {"user_id": "bob"}


async def test_a_cached_event_and_a_users_event_come_compressed(serve: Serve) -> None:
    async with serve(app(enable_user_authentication=True), **COMPRESSING) as server:
        await ApiClient(server.port).trigger("cache-news", LONG)
        await server.settled()
        async with PusherClient(server.port) as client:
            await client.subscribe("cache-news")
            assert (await client.receive())["data"] == LONG
            await client.sign_in("7")
            await client.expect("pusher:signin_success")
            await server.settled()
            await ApiClient(server.port).trigger("#server-to-user-7", LONG)
            assert (await client.expect("event"))["data"] == LONG


async def test_nothing_is_agreed_on_where_compression_is_off(serve_alone: Serve) -> None:
    """Alone, as handshakes are each node's own."""
    async with serve_alone() as server, PusherClient(server.port) as client:
        assert not is_compressing(client)
        await client.subscribe("news")
        await ApiClient(server.port).trigger("news", LONG)
        assert (await client.receive())["data"] == LONG


async def test_batches_come_in_order(serve: Serve) -> None:
    async with serve(**COMPRESSING) as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        await server.settled()
        api = ApiClient(server.port)
        batch = [{"name": "event", "channel": "news", "data": f"{number}{LONG}"} for number in range(10)]
        for _ in range(3):
            assert (await api.post("/batch_events", {"batch": batch})).status == 200
            assert [(await client.receive())["data"] for _ in range(10)] == [one["data"] for one in batch]


# As the Autobahn test suite asks, with events of a client in place of echoes


async def joined(port: int, factory: ClientPerMessageDeflateFactory | None, channel: str) -> ClientConnection:
    """Connect with an offer and join a private channel."""
    extensions = [] if factory is None else [factory]
    uri = f"ws://127.0.0.1:{port}/app/{KEY}?protocol=7"
    socket = await connect(uri, compression=None, extensions=extensions, max_size=None, proxy=None)
    socket_id = json.loads(json.loads(await socket.recv())["data"])["socket_id"]
    auth = f"{KEY}:{signature(f'{socket_id}:{channel}')}"
    await socket.send(json.dumps({"event": "pusher:subscribe", "data": {"channel": channel, "auth": auth}}))
    assert json.loads(await socket.recv())["event"] == "pusher_internal:subscription_succeeded"
    return socket


OFFERS: Final = {
    "13.1": ClientPerMessageDeflateFactory(False, False, None, None),
    "13.2": ClientPerMessageDeflateFactory(True, True, None, None),
    "13.3": ClientPerMessageDeflateFactory(False, False, 9, True),
    "13.4": ClientPerMessageDeflateFactory(False, False, 15, True),
    "13.5": ClientPerMessageDeflateFactory(True, True, 9, 9),
    "13.6": ClientPerMessageDeflateFactory(True, True, 15, 15),
    "12.1": ClientPerMessageDeflateFactory(False, False, None, True),
}


@pytest.mark.parametrize("case", OFFERS)
async def test_messages_of_every_size_and_fragmentation_arrive(case: str, serve_alone: Serve) -> None:
    """Alone, as frames are each node's own."""
    changes: dict[str, Any] = {"websocket": {"compression": "shared", "compression_min_bytes": 0}}
    async with serve_alone(app(max_event_payload_in_kb=300), websocket_max_payload_kb=300, **changes) as server:
        sender = await joined(server.port, OFFERS[case], "private-echo")
        receiver = await joined(server.port, OFFERS[case], "private-echo")
        assert all(socket.protocol.extensions for socket in (sender, receiver))
        source = LONG * 100
        for size in (0, 16, 64, 256, 1024, 4096, 8192, 32768, 65536, 131072):
            for part in (0, 256, 1024):
                text = json.dumps({"event": "client-echo", "channel": "private-echo", "data": source[:size]})
                if part and size > part:
                    await sender.send(text[at : at + part] for at in range(0, len(text), part))
                else:
                    await sender.send(text)
                got = json.loads(await asyncio.wait_for(receiver.recv(), WAIT))
                assert got["data"] == source[:size], (size, part)
        await asyncio.wait_for(await sender.ping(), WAIT)
        for socket in (sender, receiver):
            await socket.close()
            assert socket.close_code == 1000


async def test_13_7_the_first_offer_that_can_be_met_counts(serve_alone: Serve) -> None:
    """Alone, as handshakes are each node's own."""
    async with serve_alone(**COMPRESSING) as server, RawWebSocket(server.port) as client:
        offers = (
            "x-unknown; a=1, permessage-deflate; level=9, permessage-deflate; server_max_window_bits=8, "
            'permessage-deflate; server_max_window_bits="10", permessage-deflate'
        )
        await client.write(upgrade_bytes("/app/app-key", {"Sec-WebSocket-Extensions": offers}))
        _, headers = await client.head()
        assert headers["sec-websocket-extensions"] == (
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9"
        )
