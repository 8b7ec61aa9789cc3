from __future__ import annotations

import pytest

from sockudo.hub.latency import BroadcastLatency, size_name
from sockudo.hub.outbox import SLICE, Flusher
from tests.fakes.clock import FakeClock


class Box:
    def flush(self) -> None:
        """Take no time."""


@pytest.mark.parametrize(
    ("recipients", "name"),
    [(1, "xs"), (10, "xs"), (11, "sm"), (100, "sm"), (101, "md"), (1001, "lg"), (10_000, "lg"), (10_001, "xl")],
)
def test_audiences_are_named_by_their_size(recipients: int, name: str) -> None:
    clock = FakeClock()
    latency = BroadcastLatency(clock.monotonic)
    latency.note("1", "public", recipients)
    mark = latency.mark()
    assert mark is not None
    mark.flush()
    ((_, _, size),) = latency.histograms
    assert size_name(size) == name


def test_an_event_lasts_until_its_last_subscriber_is_written() -> None:
    clock, times = FakeClock(), iter((5.0, 5.02))
    flusher = Flusher(clock.call_soon)
    flusher.latency = latency = BroadcastLatency(lambda: next(times))
    for _ in range(SLICE + 1):
        flusher.mark(Box())
    flusher.wake()
    latency.note("1", "public", SLICE + 1)
    latency.note("1", "public", SLICE + 1)
    clock.run_soon()
    assert latency.histograms == {}
    clock.run_soon()
    (histogram,) = latency.histograms.values()
    assert sum(histogram.counts) == 2
    assert histogram.sum == pytest.approx(40.0)


def test_a_tick_without_events_measures_nothing() -> None:
    clock = FakeClock()
    flusher = Flusher(clock.call_soon)
    flusher.latency = latency = BroadcastLatency(clock.monotonic)
    flusher.mark(Box())
    flusher.wake()
    clock.run_soon()
    assert latency.histograms == {}
    assert (flusher.batches[1], sum(flusher.batches)) == (1, 1)
