from __future__ import annotations

from sockudo.hub.connection import Connection
from sockudo.hub.outbox import Flusher
from sockudo.websocket.frames import text_frame
from tests.fakes.clock import FakeClock
from tests.fakes.node import make_app
from tests.fakes.wire import RecordingWire

A, B, C = (text_frame(b'{"event":"%b"}' % name) for name in (b"a", b"b", b"c"))


def connect(clock: FakeClock, limit: int = 0) -> tuple[Connection, RecordingWire]:
    wire = RecordingWire()
    app = make_app(max_client_events_per_second=limit)
    return Connection("1.1", app, wire, Flusher(clock.call_soon), now=50, version=7), wire


def test_a_new_connection_has_joined_nothing_and_is_nobody() -> None:
    connection, wire = connect(FakeClock())
    assert (connection.subscriptions, connection.user, connection.authorised) == (None, None, False)
    assert (connection.opened_at, connection.last_activity, connection.protocol_version) == (50, 50, 7)
    assert connection.is_open
    assert not hasattr(connection, "__dict__")
    assert wire.log == []


def test_a_sent_frame_leaves_at_the_end_of_the_tick() -> None:
    clock = FakeClock()
    connection, wire = connect(clock)
    connection.send(A)
    assert wire.writes == []
    clock.run_soon()
    assert wire.writes == [A]


def test_a_ticks_frames_leave_in_order_with_one_write() -> None:
    clock = FakeClock()
    connection, wire = connect(clock)
    connection.queue(A)
    connection.send(B)
    connection.send(C)
    clock.run_soon()
    assert wire.writes == [A + B + C]


def test_queueing_alone_wakes_nobody() -> None:
    clock = FakeClock()
    connection, wire = connect(clock)
    connection.queue(A)
    clock.run_soon()
    assert wire.writes == []
    connection.send(B)
    clock.run_soon()
    assert wire.writes == [A + B]


def test_flushing_writes_at_once_and_only_once() -> None:
    clock = FakeClock()
    connection, wire = connect(clock)
    connection.flush()
    assert wire.writes == []
    connection.send(A)
    connection.flush()
    assert wire.writes == [A]
    clock.run_soon()
    assert wire.writes == [A]


def test_a_connection_that_has_ended_drops_queued_and_later_frames() -> None:
    clock = FakeClock()
    connection, wire = connect(clock)
    connection.send(A)
    connection.end()
    connection.send(B)
    connection.flush()
    connection.write(C)
    clock.advance(0)
    assert not connection.is_open
    assert wire.writes == []


def test_exactly_the_allowed_client_events_pass_in_a_second() -> None:
    connection, _ = connect(FakeClock(), limit=3)
    assert [connection.take_client_event(10.0 + tenth / 10) for tenth in range(6)] == [True] * 3 + [False] * 3
    assert not connection.take_client_event(10.99)
    assert [connection.take_client_event(11.0) for _ in range(4)] == [True] * 3 + [False]


def test_a_limit_of_one_allows_one() -> None:
    connection, _ = connect(FakeClock(), limit=1)
    assert [connection.take_client_event(now) for now in (10.0, 10.5, 11.0, 11.5)] == [True, False, True, False]


def test_a_limit_of_zero_allows_any_number() -> None:
    connection, _ = connect(FakeClock(), limit=0)
    assert all(connection.take_client_event(10.0) for _ in range(1000))


def test_the_first_second_of_a_machine_is_limited_too() -> None:
    connection, _ = connect(FakeClock(), limit=1)
    assert connection.take_client_event(0.25)
    assert not connection.take_client_event(0.5)
