"""A client that does not read what it is sent is dropped, and nobody else notices."""

from __future__ import annotations

import json

from tests.clients.client import ApiClient, PusherClient
from tests.clients.raw import CLOSE, RawWebSocket
from tests.servers.nodes import Serve

ROOM = "presence-room"


async def test_dropping_a_client_that_does_not_read_costs_others_nothing(serve: Serve) -> None:
    async with (
        serve(websocket={"max_buffer_kb": 64}) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
        RawWebSocket(server.port, receive_buffer=4096) as slow,
    ):
        api = ApiClient(server.port)
        await ann.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        await slow.subscribe(ROOM, {"user_id": "slow"})
        await bob.subscribe(ROOM, {"user_id": "bob"})
        for member in ("slow", "bob"):
            assert member in (await ann.expect("pusher_internal:member_added"))["data"]
        padding = "x" * 50_000
        sent = 0
        dropped = False
        while not dropped:
            assert sent < 1000, "the server keeps everything for a client that does not read"
            await api.trigger(ROOM, f"{sent} {padding}")
            sent += 1
            frame = await ann.receive()
            if frame["event"] == "pusher_internal:member_removed":
                assert frame["data"] == '{"user_id":"slow"}'
                dropped = True
                frame = await ann.receive()
            assert frame["data"].split()[0] == str(sent - 1)
        received: list[int] = []
        while len(received) < sent:
            if (frame := await bob.receive())["event"] == "event":
                received.append(int(frame["data"].split()[0]))
        assert received == list(range(sent))


async def test_what_a_slow_client_reads_at_last_ends_with_4100(serve: Serve) -> None:
    async with (
        serve(websocket={"max_buffer_kb": 64}) as server,
        PusherClient(server.port) as watcher,
        RawWebSocket(server.port, receive_buffer=4096) as slow,
    ):
        api = ApiClient(server.port)
        await watcher.subscribe(ROOM, {"user_id": "watcher"})
        await server.settled()
        await slow.subscribe(ROOM, {"user_id": "slow"})
        await watcher.expect("pusher_internal:member_added")
        for sent in range(1000):
            await api.trigger(ROOM, f"{sent} " + "x" * 50_000)
            if (await watcher.receive())["event"] == "pusher_internal:member_removed":
                break
        numbers = []
        while (event := await slow.event())["event"] != "pusher:error":
            if event["event"] == "event":
                numbers.append(int(event["data"].split()[0]))
        assert numbers == list(range(len(numbers)))
        assert event["data"]["code"] == 4100
        assert "websocket.max_buffer_kb" in event["data"]["message"]
        opcode, payload = await slow.frame()
        assert opcode == CLOSE
        assert int.from_bytes(payload[:2]) == 4100


async def test_a_slow_reader_that_keeps_up_is_not_dropped(serve: Serve) -> None:
    async with (
        serve(websocket={"max_buffer_kb": 1}) as server,
        RawWebSocket(server.port, receive_buffer=4096) as client,
    ):
        await client.open()
        await client.send_event("pusher:subscribe", {"channel": "news"})
        await client.event()
        for number in range(200):
            await ApiClient(server.port).trigger("news", {"number": number})
            assert json.loads((await client.event())["data"]) == {"number": number}
