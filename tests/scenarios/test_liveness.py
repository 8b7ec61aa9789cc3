"""Liveness: silent clients are asked for a sign of life, and end when they give none."""

from __future__ import annotations

import asyncio
import time

from tests.clients.client import ApiClient, PusherClient
from tests.clients.raw import PING, PONG, TEXT, RawWebSocket
from tests.servers.nodes import Serve

SPEED = 20


async def test_a_silent_client_gets_a_ping_not_before_its_time(serve: Serve) -> None:
    async with serve(speed=SPEED, activity_timeout=4) as server, RawWebSocket(server.port) as client:
        await client.open()
        began = time.monotonic()
        assert await client.frame() == (PING, b"")
        # Its clock is kept to the second.
        assert (time.monotonic() - began) * SPEED > 4 - 1


async def test_a_client_that_speaks_often_enough_gets_no_ping(serve_alone: Serve) -> None:
    """What is tested needs a clock that is not faster than the machine."""
    async with serve_alone(activity_timeout=1) as server, RawWebSocket(server.port) as client:
        await client.open()
        for _ in range(8):
            await asyncio.sleep(0.4)
            await client.send(TEXT, b'{"event":"pusher:ping"}')
            assert await client.event() == {"event": "pusher:pong", "data": "{}"}


async def test_a_client_that_answers_stays_and_is_asked_again(serve: Serve) -> None:
    async with serve(speed=SPEED, activity_timeout=1) as server, RawWebSocket(server.port) as client:
        await client.open()
        began = time.monotonic()
        for _ in range(5):
            assert await client.frame() == (PING, b"")
            await client.send(PONG, b"")
        # Each time after the activity timeout, although an answer may take 30 s.
        assert (time.monotonic() - began) * SPEED < 4 * 30


async def test_a_client_that_does_not_answer_ends_with_4201(serve: Serve) -> None:
    async with (
        serve(speed=SPEED, activity_timeout=1) as server,
        RawWebSocket(server.port) as client,
        PusherClient(server.port) as watcher,
    ):
        await client.open()
        asked = time.monotonic()
        assert await client.frame() == (PING, b"")
        assert await client.event() == {
            "event": "pusher:error",
            "data": {"code": 4201, "message": "Pong reply not received in time"},
        }
        assert (time.monotonic() - asked) * SPEED > 30 - 1
        assert await client.expect_close() == (4201, "Pong reply not received in time")
        # It does not answer the close frame either.
        await client.expect_end()
        # The library of this client answers ping frames by itself.
        await watcher.expect_nothing()


async def test_any_message_is_an_answer(serve: Serve) -> None:
    async with serve(speed=SPEED, activity_timeout=2) as server, RawWebSocket(server.port) as client:
        await client.open()
        assert await client.frame() == (PING, b"")
        await client.send(TEXT, b'{"event":"unknown"}')
        # It is asked again instead of being ended.
        assert await client.frame() == (PING, b"")


async def test_a_client_that_sends_is_never_asked(serve: Serve) -> None:
    async with serve(speed=SPEED, activity_timeout=20) as server, RawWebSocket(server.port) as client:
        await client.open()
        began = time.monotonic()
        while (time.monotonic() - began) * SPEED < 30:
            await client.send(TEXT, b'{"event":"pusher:ping"}')
            assert (await client.event())["event"] == "pusher:pong"


async def test_frames_sent_to_a_client_are_no_life_sign(serve: Serve) -> None:
    async with serve(speed=SPEED, activity_timeout=2) as server, RawWebSocket(server.port) as client:
        await client.subscribe("private-a")
        opcode = TEXT
        while opcode != PING:
            await ApiClient(server.port).trigger("private-a", "x")
            opcode, _ = await client.frame()


async def test_a_member_that_has_vanished_is_removed(serve: Serve) -> None:
    async with (
        serve(speed=SPEED, activity_timeout=1) as server,
        PusherClient(server.port) as watcher,
        RawWebSocket(server.port) as client,
    ):
        await watcher.subscribe("presence-room", {"user_id": "watcher"})
        await client.subscribe("presence-room", {"user_id": "ann"})
        await watcher.expect("pusher_internal:member_added")
        assert (await watcher.expect("pusher_internal:member_removed"))["data"] == '{"user_id":"ann"}'
