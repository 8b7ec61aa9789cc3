"""A WebSocket from its upgrade to its end: closing handshakes, violations, slow readers, and the one leave."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sockudo.hub.broadcast import Broadcast
from sockudo.websocket.frames import text_frame
from tests.clients.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    masked_close,
    masked_frame,
)
from tests.fakes.clock import FakeClock, TickingClock
from tests.fakes.stack import Stack, StackClient, upgrade
from tests.servers.server import app

SUBSCRIBE = masked_frame(TEXT, b'{"event":"pusher:subscribe","data":{"channel":"news"}}')


def publish(stack: Stack, channel: str, payload: bytes = b"{}") -> None:
    """Let an event reach everybody on a channel."""
    stack.node.hub.deliver("1", channel, Broadcast(text_frame(payload)))
    stack.clock.run_soon()


def presence_pair(stack: Stack) -> tuple[StackClient, StackClient]:
    """Return two members of one channel; the second sees what becomes of the first."""
    leaver, witness = stack.connect(), stack.connect()
    leaver.subscribe("presence-room", {"user_id": "leaver"})
    witness.subscribe("presence-room", {"user_id": "witness"})
    leaver.events()
    return leaver, witness


def removals(witness: StackClient) -> list[Any]:
    """Return the data of every member_removed that has come."""
    return [
        json.loads(event["data"])["user_id"]
        for event in witness.events()
        if event.get("event") == "pusher_internal:member_removed"
    ]


# The opening


def test_the_first_frame_may_share_the_handshakes_segment() -> None:
    stack = Stack()
    client = stack.connect(behind=SUBSCRIBE)
    stack.clock.run_soon()
    assert [event["event"] for event in client.events()] == ["pusher_internal:subscription_succeeded"]


def test_half_a_frame_in_the_handshakes_segment_is_kept() -> None:
    stack = Stack()
    for cut in range(len(SUBSCRIBE)):
        client = stack.connect(behind=SUBSCRIBE[:cut])
        client.feed(SUBSCRIBE[cut:])
        assert [event["event"] for event in client.events()] == ["pusher_internal:subscription_succeeded"]


def test_a_refused_client_that_stays_is_dropped() -> None:
    stack = Stack()
    client = stack.connect("wrong-key")
    error, close = client.frames_before
    assert (error["event"], error["data"]["code"]) == ("pusher:error", 4001)
    assert close == {"close": 4001, "reason": error["data"]["message"]}
    # Whatever it sends now is not looked at.
    client.feed(SUBSCRIBE + b"\xff" * 100)
    assert client.events() == []
    assert stack.front.websockets.open_count == 1
    stack.clock.advance(5)
    assert client.transport.was_aborted
    assert stack.front.websockets.open_count == 0


def test_a_refused_client_that_answers_the_close_closes_at_once() -> None:
    stack = Stack()
    client = stack.connect("wrong-key")
    client.feed(masked_close(4001))
    assert client.transport.is_closing()
    assert not client.transport.was_aborted
    stack.clock.run_soon()
    assert stack.front.websockets.open_count == 0


# The end, begun by the client


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe8going", b"\x0f\xa0own code"])
def test_a_close_frame_is_echoed_and_the_socket_closed(payload: bytes) -> None:
    stack = Stack()
    client, witness = presence_pair(stack)
    client.feed(masked_frame(CLOSE, payload))
    assert client.frames() == [(CLOSE, payload[:2])]
    assert client.transport.is_closing()
    assert removals(witness) == ["leaver"]
    stack.clock.advance(10)
    assert removals(witness) == []
    assert stack.front.websockets.open_count == 1


def test_queued_frames_leave_before_the_echo_of_a_close() -> None:
    stack = Stack()
    client = stack.connect()
    client.subscribe("news")
    stack.node.hub.deliver("1", "news", Broadcast(text_frame(b"{}")))
    client.transport.feed(masked_frame(PING, b"1") + masked_close(1000))
    assert [opcode for opcode, _ in client.frames()] == [PONG, TEXT, CLOSE]


def test_nothing_is_carried_out_behind_a_close_frame() -> None:
    stack = Stack()
    client = stack.connect()
    client.feed(masked_close(1000) + SUBSCRIBE)
    client.feed(SUBSCRIBE)
    assert stack.node.hub.channel("1", "news") is None
    assert [opcode for opcode, _ in client.frames()] == [CLOSE]


def test_a_closing_client_that_does_not_read_is_dropped_eventually() -> None:
    stack = Stack()
    client = stack.connect()
    client.transport.stall()
    client.feed(masked_close(1000))
    assert not client.transport.is_lost
    stack.clock.advance(5)
    assert client.transport.was_aborted


# The end, begun by the server


def test_a_closed_client_that_does_not_answer_is_dropped() -> None:
    stack = Stack()
    answers, silent = stack.connect(), stack.connect()
    for client in (answers, silent):
        client.subscribe("presence-room", {"user_id": "u"})
    stack.node.terminate_user(the_app(stack), "u")
    for client in (answers, silent):
        error, close = client.events()[-2:]
        assert (error["data"]["code"], close["close"]) == (4009, 4009)
    answers.feed(masked_close(4009))
    assert answers.transport.is_closing()
    assert not silent.transport.is_closing()
    stack.clock.advance(5)
    assert silent.transport.was_aborted
    assert not answers.transport.was_aborted
    assert stack.front.websockets.open_count == 0
    assert stack.node.counters.disconnections == 2


def the_app(stack: Stack) -> Any:
    """Return the app of the stack."""
    app_ = stack.node.apps.by_id("1")
    assert app_ is not None
    return app_


def test_a_closed_client_that_floods_is_dropped() -> None:
    stack = Stack()
    client = stack.connect()
    client.subscribe("presence-room", {"user_id": "u"})
    stack.node.terminate_user(the_app(stack), "u")
    for _ in range(5):
        client.feed(masked_frame(PING, b"x") * 100)
        stack.clock.advance(1)
        if client.transport.is_lost:
            break
    assert client.transport.was_aborted
    assert PONG not in [opcode for opcode, _ in client.frames()]


# Violations

VIOLATIONS = {
    "unmasked": (masked_frame(TEXT, b"{}", key=None), 1002),
    "reserved bit": (masked_frame(TEXT, b"{}", rsv=4), 1002),
    "unknown opcode": (masked_frame(3, b"{}"), 1002),
    "unknown control": (masked_frame(11, b"{}"), 1002),
    "fragmented control": (masked_frame(PING, b"", fin=False), 1002),
    "long control": (masked_frame(PING, b"x" * 126), 1002),
    "lone continuation": (masked_frame(CONTINUATION, b"x"), 1002),
    "length not minimal": (masked_frame(TEXT, b"{}", length_bits=64), 1002),
    "close code 1005": (masked_close(1005), 1002),
    "close with one byte": (masked_frame(CLOSE, b"\x03"), 1002),
    "bad UTF-8": (masked_frame(TEXT, b"\xff"), 1007),
    "close reason not UTF-8": (masked_frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "too big": (b"\x81\xff" + (70_000).to_bytes(8, "big") + b"key!", 1009),
    "2^62": (b"\x81\xff" + (1 << 62).to_bytes(8, "big") + b"key!", 1009),
    "2^63": (b"\x81\xff" + (1 << 63).to_bytes(8, "big") + b"key!", 1002),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_ends_with_its_code_and_one_leave(name: str) -> None:
    frame, code = VIOLATIONS[name]
    stack = Stack()
    client, witness = presence_pair(stack)
    publish(stack, "presence-room")
    stack.node.hub.deliver("1", "presence-room", Broadcast(text_frame(b'{"event":"queued"}')))
    client.transport.feed(frame)
    stack.clock.run_soon()
    *others, close = client.events()
    assert others[-1] == {"event": "queued"}
    assert close["close"] == code
    assert client.transport.has_eof
    assert removals(witness) == ["leaver"]
    # What follows is not looked at, and the socket goes when the peer goes, or soon.
    client.feed(SUBSCRIBE)
    publish(stack, "presence-room")
    assert client.events() == []
    stack.clock.advance(5)
    assert client.transport.was_aborted
    assert removals(witness) == []
    assert stack.node.counters.disconnections == 1


def test_a_violation_in_the_first_segment_ends_the_connection_too() -> None:
    stack = Stack()
    client = stack.connect(behind=b"GET / HTTP/1.1\r\n\r\n")
    assert client.frames_before[-1]["close"] == 1002


def test_the_limit_of_a_message_is_named_with_its_setting() -> None:
    stack = Stack(websocket_max_payload_kb=1)
    client = stack.connect()
    client.feed(masked_frame(TEXT, b"x" * 1025))
    assert client.events()[-1] == {
        "close": 1009,
        "reason": "message is too big: the limit is 1024 bytes (websocket_max_payload_kb)",
    }


def test_messages_before_a_violation_are_carried_out() -> None:
    stack = Stack()
    client = stack.connect()
    client.feed(SUBSCRIBE + masked_frame(TEXT, b"\xff"))
    success, close = client.events()
    assert success["event"] == "pusher_internal:subscription_succeeded"
    assert close["close"] == 1007


# Binary frames


def test_a_binary_frame_is_a_message_like_any_other() -> None:
    stack = Stack()
    client = stack.connect()
    client.feed(masked_frame(BINARY, b'{"event":"pusher:ping"}'))
    assert [event["event"] for event in client.events()] == ["pusher:pong"]


@pytest.mark.parametrize(
    "message",
    [
        b'{"event":"\xff"}',
        b'{"event":"client-x","channel":"private-a","data":"\xff"}',
        b'{"event":"client-x","channel":"private-a","data":{"\xc3(":1}}',
        b'{"event":"client-x","channel":"private-a","data":"\xed\xa0\x80"}',
        b'{"event":"pusher:subscribe","data":{"channel":"\xff"}}',
        b'{"event":"pusher:subscribe","data":"{\xff}"}',
        b"\xff\xfe",
    ],
)
def test_a_binary_frame_that_is_not_utf8_reaches_nobody(message: bytes) -> None:
    stack = Stack()
    sender, witness = stack.connect(), stack.connect()
    for client in (sender, witness):
        client.subscribe("private-a")
    sender.feed(masked_frame(BINARY, message))
    (error,) = sender.events()
    assert error["event"] == "pusher:error"
    assert error["data"]["code"] is None
    assert error["data"]["message"].startswith("Invalid message format: ")
    assert witness.events() == []
    sender.feed(masked_frame(TEXT, b'{"event":"pusher:ping"}'))
    assert [event["event"] for event in sender.events()] == ["pusher:pong"]


# Large reads

PING_COMMAND = masked_frame(TEXT, b'{"event":"pusher:ping"}')


def test_others_get_their_turn_between_parts_of_a_flood() -> None:
    stack = Stack(clock=TickingClock(0.001))
    flooder, other = stack.connect(), stack.connect()
    other.subscribe("news")
    count = 10 * 16 * 1024 // len(PING_COMMAND)
    flooder.transport.feed(PING_COMMAND * count)
    assert not flooder.transport.is_reading()
    turns = pongs = 0
    while not flooder.transport.is_reading():
        publish(stack, "news", b'{"event":"n"}')
        assert len(other.frames()) == 1
        pongs += len(flooder.frames())
        turns += 1
    stack.clock.run_soon()
    pongs += len(flooder.frames())
    assert pongs == count
    assert turns >= 9


def test_what_a_later_turn_carries_out_keeps_its_order() -> None:
    stack = Stack(clock=TickingClock(0.001))
    sender, witness = stack.connect(), stack.connect()
    for client in (sender, witness):
        client.subscribe("private-a")
    events = [b'{"event":"client-x","channel":"private-a","data":%d}' % number for number in range(300)]
    sender.transport.feed(b"".join(masked_frame(TEXT, event) for event in events))
    assert not sender.transport.is_reading()
    stack.clock.advance(0)
    assert [event["data"] for event in witness.events()] == list(range(300))
    assert sender.transport.is_reading()


def test_few_events_for_many_subscribers_run_between_clock_looks() -> None:
    stack = Stack(clock=TickingClock(0.001))
    sender, witness = stack.connect(), stack.connect()
    for client in (sender, witness):
        client.subscribe("private-a")
    witness.events()
    event = masked_frame(TEXT, b'{"event":"client-x","channel":"private-a","data":1}')
    sender.transport.feed(event * 300)
    counts = [len(witness.events())]
    while not sender.transport.is_reading():
        stack.clock.run_soon()
        counts.append(len(witness.events()))
    stack.clock.run_soon()
    counts.append(len(witness.events()))
    assert sum(counts) == 300
    assert max(counts) <= 20


@pytest.mark.parametrize("size", [16 * 1024, 16 * 1024 + 1, 40_000, 65_000])
def test_a_message_larger_than_a_part_arrives_whole(size: int) -> None:
    stack = Stack()
    sender, witness = stack.connect(), stack.connect()
    for client in (sender, witness):
        client.subscribe("private-a")
    event = b'{"event":"client-x","channel":"private-a","data":"%b"}' % (b"x" * size)
    sender.transport.feed(masked_frame(TEXT, event) + PING_COMMAND)
    stack.clock.advance(0)
    assert [event["event"] for event in sender.events()] == ["pusher:pong"]
    assert [len(event["data"]) for event in witness.events()] == [size]


def test_the_end_of_a_large_read_overrules_no_pause() -> None:
    stack = Stack(clock=TickingClock(0.001))
    client = stack.connect()
    (connection,) = stack.node.hub.connections()
    client.transport.feed(PING_COMMAND * (2 * 16 * 1024 // len(PING_COMMAND)))
    connection.wire.pause_reading()
    stack.clock.advance(1)
    assert not client.transport.is_reading()
    connection.wire.resume_reading()
    stack.clock.advance(1)
    assert client.transport.is_reading()


def test_the_end_of_a_pause_does_not_overtake_large_reads() -> None:
    stack = Stack(clock=TickingClock(0.001))
    client = stack.connect()
    (connection,) = stack.node.hub.connections()
    client.transport.feed(PING_COMMAND * (2 * 16 * 1024 // len(PING_COMMAND)))
    connection.wire.pause_reading()
    connection.wire.resume_reading()
    assert not client.transport.is_reading()
    stack.clock.advance(1)
    assert client.transport.is_reading()


@pytest.mark.parametrize("end", ["reset", "violation", "close", "slow"])
def test_a_connection_that_ends_between_two_parts_is_one_leave(end: str) -> None:
    stack = slow_stack(TickingClock(0.001))
    client, witness = presence_pair(stack)
    last = {"violation": masked_frame(TEXT, b"\xff"), "close": masked_close(1000)}.get(end, b"")
    if end == "slow":
        client.transport.stall()
    client.transport.feed(PING_COMMAND * 600 + last + PING_COMMAND * 2000)
    if end == "reset":
        client.transport.reset()
    stack.clock.advance(10)
    assert removals(witness) == ["leaver"]
    assert client.transport.is_lost
    assert stack.front.websockets.open_count == 1


# Slow readers


def slow_stack(clock: FakeClock | None = None) -> Stack:
    return Stack(app(), clock=clock, websocket={"max_buffer_kb": 1})


def test_a_client_that_does_not_read_is_dropped_and_counted() -> None:
    stack = slow_stack()
    slow, witness = presence_pair(stack)
    slow.transport.stall()
    for number in range(20):
        publish(stack, "presence-room", b'{"event":"n","data":"%d%b"}' % (number, b"x" * 100))
    assert stack.node.counters.slow_consumers == 1
    assert len(slow.transport.unsent) < 1024 + 500
    numbers = [event["data"] for event in witness.events() if event["event"] == "n"]
    assert numbers == [f"{number}{'x' * 100}" for number in range(20)]
    stack.clock.advance(5)
    assert slow.transport.was_aborted
    assert stack.node.counters.disconnections == 1


def test_a_slow_client_that_reads_later_learns_the_reason() -> None:
    stack = slow_stack()
    slow, witness = presence_pair(stack)
    slow.transport.stall()
    publish(stack, "presence-room", b'{"event":"n","data":"%b"}' % (b"x" * 2000))
    assert removals(witness) == ["leaver"]
    slow.transport.take()
    _, error, close = slow.events()
    assert (error["data"]["code"], close["close"]) == (4100, 4100)
    assert "websocket.max_buffer_kb" in error["data"]["message"]
    slow.feed(masked_close(4100))
    stack.clock.run_soon()
    assert stack.front.websockets.open_count == 1


def test_a_client_far_above_the_limit_is_dropped_at_once() -> None:
    stack = slow_stack()
    slow, witness = presence_pair(stack)
    slow.transport.stall()
    # What arises in one tick is written at once, and may be any number of frames.
    for _ in range(10):
        frame = text_frame(b'{"event":"n","data":"%b"}' % (b"x" * 9000))
        stack.node.hub.deliver("1", "presence-room", Broadcast(frame))
    stack.clock.advance(0)
    assert slow.transport.was_aborted
    assert len(slow.transport.unsent) == 0
    assert stack.node.counters.slow_consumers == stack.node.counters.disconnections == 1
    assert removals(witness) == ["leaver"]


@pytest.mark.parametrize("last", [masked_close(1000), masked_frame(TEXT, b"\xff"), masked_frame(PING, b"x")])
def test_a_slow_client_gets_one_close_frame(last: bytes) -> None:
    stack = slow_stack()
    slow, witness = presence_pair(stack)
    slow.transport.stall()
    # Queued, and too much as soon as it is written.
    stack.node.hub.deliver("1", "presence-room", Broadcast(text_frame(b'{"event":"n","data":"%b"}' % (b"x" * 2000))))
    slow.transport.feed(last)
    stack.clock.run_soon()
    slow.transport.take()
    frames = slow.frames()
    assert [opcode for opcode, _ in frames].count(CLOSE) == 1
    assert frames[-1][0] == CLOSE
    assert frames[-1][1][:2] == (4100).to_bytes(2, "big")
    assert removals(witness) == ["leaver"]


def test_a_slow_client_being_closed_gets_one_close_frame() -> None:
    stack = slow_stack()
    slow, _ = presence_pair(stack)
    slow.transport.stall()
    stack.node.hub.deliver("1", "presence-room", Broadcast(text_frame(b'{"event":"n","data":"%b"}' % (b"x" * 2000))))
    stack.node.terminate_user(the_app(stack), "leaver")
    slow.transport.take()
    assert [opcode for opcode, _ in slow.frames()].count(CLOSE) == 1


def test_a_client_that_asks_without_reading_is_dropped() -> None:
    stack = slow_stack()
    for flood in (masked_frame(PING, b"x" * 100), masked_frame(TEXT, b"no JSON"), SUBSCRIBE + SUBSCRIBE):
        client = stack.connect()
        client.transport.stall()
        for _ in range(100):
            client.feed(flood)
        assert len(client.transport.unsent) < 1024 + 500
        stack.clock.advance(5)
        assert client.transport.was_aborted


# Lost sockets


def test_a_lost_socket_is_one_leave_and_leaves_nothing_behind() -> None:
    stack = Stack()
    client, witness = presence_pair(stack)
    client.transport.reset()
    stack.clock.run_soon()
    stack.clock.run_soon()
    assert removals(witness) == ["leaver"]
    assert stack.front.websockets.open_count == 1
    witness.transport.feed_eof()
    stack.clock.run_soon()
    assert stack.front.websockets.open_count == 0
    assert list(stack.node.hub.connections()) == []
    assert len(stack.node.keepalive._deadlines) == 0
    assert len(stack.front.timeouts._deadlines) == 0
    assert stack.front.http_connections == set()


@pytest.mark.parametrize("cut", range(0, 160, 3))
def test_a_socket_lost_during_its_handshake_leaves_nothing_behind(cut: int) -> None:
    stack = Stack()
    transport = stack.socket()
    transport.feed((upgrade() + SUBSCRIBE)[:cut])
    transport.reset()
    stack.clock.run_soon()
    assert stack.front.http_connections == set()
    assert stack.front.websockets.open_count == 0
    assert len(stack.front.timeouts._deadlines) == 0
