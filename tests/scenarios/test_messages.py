"""What clients may send besides: pings, unknown events, and what cannot be understood."""

from __future__ import annotations

import pytest

from tests.clients.client import PusherClient
from tests.clients.raw import BINARY, PING, PONG, TEXT, RawWebSocket, client_frame
from tests.servers.nodes import Serve


@pytest.mark.parametrize(
    "ping",
    [
        '{"event":"pusher:ping","data":{}}',
        '{"event":"pusher:ping"}',
        '{"event":"pusher:ping","data":""}',
        '{"event":"pusher:ping","data":null}',
        '{"data":{"a":1},"event":"pusher:ping","channel":null,"more":[]}',
    ],
)
async def test_a_json_ping_is_answered_whatever_its_data(serve: Serve, ping: str) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.send_text(ping)
        assert await client.receive() == {"event": "pusher:pong", "data": "{}"}


async def test_a_ping_frame_is_answered_with_its_payload(serve: Serve) -> None:
    async with serve() as server, RawWebSocket(server.port) as client:
        await client.open()
        await client.send(PING, b"payload")
        assert await client.frame() == (PONG, b"payload")


async def test_a_json_pong_and_an_unknown_event_are_not_answered(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.send({"event": "pusher:pong", "data": {}})
        await client.send({"event": "pusher:resume", "data": {}})
        await client.send({"event": "anything", "channel": "news"})
        await client.expect_nothing()


async def test_fifty_unreadable_messages_end_a_connection_with_4100(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as noisy, PusherClient(server.port) as other:
        for text in ("", "{", "{}", '{"event":"pusher:subscribe"}', "[]") * 10:
            await noisy.send_text(text)
        for _ in range(49):
            await noisy.expect_error(None)
        assert await noisy.expect_end() == (4100, "Too many unreadable messages: 50 within 10 s")
        await other.expect_nothing()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "{",
        "[]",
        "null",
        '"text"',
        "7",
        "{}",
        '{"event":7}',
        '{"event":null}',
        '{"event":"pusher:ping","channel":7}',
        '{"data":{}}',
        '{"event":"pusher:subscribe"}',
        '{"event":"pusher:subscribe","data":{}}',
        '{"event":"pusher:subscribe","data":[]}',
        '{"event":"pusher:subscribe","data":"news"}',
        '{"event":"pusher:subscribe","data":{"channel":7}}',
        '{"event":"pusher:unsubscribe"}',
        '{"event":"pusher:unsubscribe","data":{}}',
        '{"event":"pusher:signin","data":{"auth":"a"}}',
        '{"event":"client-x","channel":"a","data":}',
        "[" * 20000,
    ],
)
async def test_an_unintelligible_message_gets_exactly_one_error_without_a_code(serve: Serve, text: str) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.send_text(text)
        frame = await client.expect("pusher:error")
        assert frame.keys() == {"event", "data"}
        assert frame["data"]["code"] is None
        assert frame["data"]["message"].startswith("Invalid message format")
        await client.expect_nothing()


async def test_an_unsubscribe_may_name_its_channel_as_the_data(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("private-a")
        await client.send({"event": "pusher:unsubscribe", "data": "private-a"})
        await client.trigger("private-a", "client-x", 1)
        assert "not subscribed" in await client.expect_error(4301)


async def test_a_binary_message_is_taken_like_text(serve: Serve) -> None:
    async with serve() as server, RawWebSocket(server.port) as client:
        await client.open()
        await client.send(BINARY, b'{"event":"pusher:ping"}')
        assert await client.event() == {"event": "pusher:pong", "data": "{}"}


async def test_messages_in_one_packet_are_carried_out_in_their_order(serve: Serve) -> None:
    async with serve() as server, RawWebSocket(server.port) as client:
        await client.open()
        subscribe = b'{"event":"pusher:subscribe","data":{"channel":"c%d"}}'
        await client.write(b"".join(client_frame(TEXT, subscribe % number) for number in range(50)))
        assert [(await client.event())["channel"] for _ in range(50)] == [f"c{number}" for number in range(50)]


async def test_a_message_that_arrives_byte_by_byte_is_one_message(serve: Serve) -> None:
    async with serve() as server, RawWebSocket(server.port) as client:
        await client.open()
        for byte in client_frame(TEXT, b'{"event":"pusher:ping"}'):
            await client.write(bytes((byte,)))
        assert (await client.event())["event"] == "pusher:pong"


async def test_a_message_may_have_exactly_the_full_size(serve: Serve) -> None:
    async with serve(websocket_max_payload_kb=1) as server, PusherClient(server.port) as client:
        ping = '{"event":"pusher:ping","data":"%s"}'
        await client.send_text(ping % ("x" * (1024 - len(ping) + 2)))
        await client.expect("pusher:pong")
        await client.send_text(ping % ("x" * (1025 - len(ping) + 2)))
        code, reason = await client.expect_close()
        assert code == 1009
        assert "1024 bytes" in reason
        assert "websocket_max_payload_kb" in reason


async def test_an_unmasked_frame_ends_the_connection_with_1002(serve: Serve) -> None:
    async with serve() as server, RawWebSocket(server.port) as client:
        await client.open()
        await client.write(b"\x81\x02{}")
        assert (await client.expect_close())[0] == 1002
        await client.expect_end()


async def test_text_that_is_not_utf8_ends_the_connection_with_1007(serve: Serve) -> None:
    async with serve() as server, RawWebSocket(server.port) as client:
        await client.open()
        await client.send(TEXT, b"\xff")
        assert (await client.expect_close())[0] == 1007
