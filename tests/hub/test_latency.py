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
    latency.written()
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


def test_events_of_a_tick_are_told_apart_by_audience() -> None:
    latency = BroadcastLatency(lambda: 0.0)
    for app_id, label, recipients in (("1", "public", 5), ("1", "public", 50), ("2", "public", 5), ("1", "public", 5)):
        latency.note(app_id, label, recipients)
    latency.written()
    latency.note("1", "public", 5)
    latency.written()
    counts = {audience: sum(histogram.counts) for audience, histogram in latency.histograms.items()}
    assert counts == {("1", "public", 0): 3, ("1", "public", 1): 1, ("2", "public", 0): 1}


def test_a_tick_without_events_measures_nothing() -> None:
    clock = FakeClock()
    flusher = Flusher(clock.call_soon)
    flusher.latency = latency = BroadcastLatency(clock.monotonic)
    flusher.mark(Box())
    flusher.wake()
    clock.run_soon()
    assert latency.histograms == {}
    assert (flusher.batches[1], sum(flusher.batches)) == (1, 1)
