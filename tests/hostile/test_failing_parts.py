"""A mistake in serving one connection is that connection's alone."""

from __future__ import annotations

import pytest

from sockudo.hub.outbox import SLICE, Flusher
from tests.support.clock import FakeClock


class Broken:
    """A connection whose write fails."""

    def flush(self) -> None:
        raise RuntimeError("broken")


class Sound:
    """A connection that notes its writes."""

    def __init__(self) -> None:
        self.flushes = 0

    def flush(self) -> None:
        self.flushes += 1


@pytest.mark.parametrize("before", [0, 1, SLICE - 1, SLICE])
def test_a_write_that_fails_costs_the_others_nothing_now_or_later(before: int) -> None:
    clock = FakeClock()
    flusher = Flusher(clock.call_soon)
    sound = [Sound() for _ in range(before + 3)]
    for connection in (*sound[:before], Broken(), *sound[before:]):
        flusher.mark(connection)
    flusher.wake()
    with pytest.raises(RuntimeError):
        for _ in range(3):
            clock.run_soon()
    clock.run_soon()
    clock.run_soon()
    assert [connection.flushes for connection in sound] == [1] * len(sound)
    flusher.mark(sound[0])
    flusher.wake()
    clock.run_soon()
    assert sound[0].flushes == 2
