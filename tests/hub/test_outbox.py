from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.hub.connection import Connection
from sockudo.hub.outbox import SLICE, Flusher
from tests.fakes.clock import FakeClock
from tests.fakes.node import make_app
from tests.fakes.wire import RecordingWire
from tests.support.properties import THOROUGH

APP = make_app()


class Box:
    """Counts how often it is emptied."""

    def __init__(self) -> None:
        self.flushed = 0

    def flush(self) -> None:
        self.flushed += 1


class BrokenBox:
    def flush(self) -> None:
        raise RuntimeError("the transport is gone")


class PlainWire(RecordingWire):
    """Takes bytes that are no frames."""

    def write(self, data: bytes) -> None:
        self.writes.append(data)


def connect(flusher: Flusher) -> tuple[Connection, PlainWire]:
    wire = PlainWire()
    return Connection("1.1", APP, wire, flusher, now=0, version=7), wire


def test_nothing_is_flushed_before_the_end_of_the_tick() -> None:
    clock = FakeClock()
    flusher, box = Flusher(clock.call_soon), Box()
    flusher.mark(box)
    flusher.wake()
    assert box.flushed == 0
    clock.run_soon()
    assert box.flushed == 1
    clock.run_soon()
    assert box.flushed == 1


def test_waking_for_nothing_schedules_nothing() -> None:
    scheduled: list[object] = []
    Flusher(scheduled.append).wake()
    assert scheduled == []


def test_many_wakes_in_a_tick_are_one() -> None:
    scheduled: list[object] = []
    flusher = Flusher(scheduled.append)
    for _ in range(3):
        flusher.mark(Box())
        flusher.wake()
    assert len(scheduled) == 1


def test_one_slice_is_flushed_a_tick_until_all_are_done() -> None:
    clock = FakeClock()
    flusher, boxes = Flusher(clock.call_soon), [Box() for _ in range(2 * SLICE + 1)]
    for box in boxes:
        flusher.mark(box)
    flusher.wake()
    for flushed in (SLICE, 2 * SLICE, 2 * SLICE + 1, 2 * SLICE + 1):
        clock.run_soon()
        assert sum(box.flushed for box in boxes) == flushed
    assert [box.flushed for box in boxes] == [1] * len(boxes)


def test_the_order_of_marking_is_the_order_of_flushing() -> None:
    clock = FakeClock()
    flusher = Flusher(clock.call_soon)
    order: list[int] = []

    class Numbered:
        def __init__(self, number: int) -> None:
            self.number = number

        def flush(self) -> None:
            order.append(self.number)

    for number in range(SLICE + 5):
        flusher.mark(Numbered(number))
    flusher.wake()
    clock.advance(0)
    assert order == list(range(SLICE + 5))


def test_connections_marked_during_a_flush_wait_for_the_next_tick() -> None:
    clock = FakeClock()
    flusher, late = Flusher(clock.call_soon), Box()

    class Marks:
        def flush(self) -> None:
            flusher.mark(late)
            flusher.wake()

    flusher.mark(Marks())
    flusher.wake()
    clock.run_soon()
    assert late.flushed == 0
    clock.run_soon()
    assert late.flushed == 1


@pytest.mark.parametrize("others", [0, 1, SLICE])
def test_a_connection_that_cannot_be_written_stops_no_other(others: int) -> None:
    clock = FakeClock()
    flusher, boxes = Flusher(clock.call_soon), [Box() for _ in range(others)]
    flusher.mark(BrokenBox())
    for box in boxes:
        flusher.mark(box)
    flusher.wake()
    with pytest.raises(RuntimeError, match="the transport is gone"):
        clock.run_soon()
    clock.advance(0)
    assert [box.flushed for box in boxes] == [1] * others
    again = Box()
    flusher.mark(again)
    flusher.wake()
    clock.run_soon()
    assert again.flushed == 1


def test_a_connection_that_ends_between_marking_and_flushing_writes_nothing() -> None:
    clock = FakeClock()
    connection, wire = connect(Flusher(clock.call_soon))
    connection.send(b"a")
    connection.end()
    connection.send(b"b")
    clock.advance(0)
    assert wire.writes == []


steps = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 4), st.integers(1, 5)),
    st.tuples(st.sampled_from(["tick", "flush", "end"]), st.integers(0, 4), st.just(1)),
)


@THOROUGH
@given(st.lists(steps, max_size=60))
def test_connections_get_their_frames_in_order_one_write_a_tick(
    script: list[tuple[str, int, int]],
) -> None:
    clock = FakeClock()
    flusher = Flusher(clock.call_soon)
    connections = [connect(flusher) for _ in range(5)]
    expected = [b""] * 5
    waiting = [b""] * 5
    ended = [False] * 5
    for number, (step, index, count) in enumerate(script):
        connection, wire = connections[index]
        before = [len(other.writes) for _, other in connections]
        if step == "send":
            # As a broadcast does: queue for many, wake once.
            for one in range(count):
                frame = b"<%d.%d>" % (number, one)
                connection.queue(frame)
                if not ended[index]:
                    waiting[index] += frame
            flusher.wake()
            assert len(wire.writes) == before[index]
        elif step == "flush":
            connection.flush()
            expected[index], waiting[index] = expected[index] + waiting[index], b""
        elif step == "end":
            connection.end()
            ended[index], waiting[index] = True, b""
        else:
            clock.run_soon()
            for at in range(5):
                expected[at], waiting[at] = expected[at] + waiting[at], b""
        grown = Counter(len(other.writes) - old for (_, other), old in zip(connections, before, strict=True))
        assert set(grown) <= {0, 1}
    clock.advance(0)
    for (_, wire), text, rest in zip(connections, expected, waiting, strict=True):
        assert b"".join(wire.writes) == text + rest
