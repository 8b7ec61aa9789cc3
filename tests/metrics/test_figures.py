from __future__ import annotations

from sockudo.metrics.figures import Figures, added
from sockudo.timing.histogram import Histogram
from tests.support.steps import finished


def figures(connected: float, largest: float, lag: float) -> Figures:
    made = Figures({})
    made.set("connected", connected, "1")
    made.set("outbox_largest_bytes", largest)
    made.set("new_connections_total", connected, "1")
    histogram = Histogram((0.5, 1.0))
    histogram.add(lag)
    made.set_histogram("event_loop_lag_seconds", histogram)
    return made


def test_figures_of_processes_are_added_and_maxima_are_not() -> None:
    whole = finished(added([figures(2, 70, 0.1), figures(3, 50, 2.0)]))
    assert whole.samples("connected") == [(("1",), 5.0)]
    assert whole.samples("outbox_largest_bytes") == [((), 70.0)]
    assert whole.samples("event_loop_lag_seconds") == [((), [1.0, 0.0, 1.0, 2.1])]


def test_adding_leaves_the_parts_as_they_were() -> None:
    parts = [figures(2, 70, 0.1), figures(3, 50, 2.0)]
    finished(added(parts))
    assert parts == [figures(2, 70, 0.1), figures(3, 50, 2.0)]


def test_gauges_end_with_their_process_and_counters_do_not() -> None:
    left = figures(2, 70, 0.1).counters()
    assert left.values.keys() == {"new_connections_total", "event_loop_lag_seconds"}


def test_labels_may_be_any_text() -> None:
    odd = ('a"b', "c,d", "é\n")
    made = Figures({})
    made.set("connection_errors_total", 1, *odd)
    assert made.samples("connection_errors_total") == [(odd, 1.0)]


def test_histograms_of_two_versions_are_not_mixed() -> None:
    first, second = Figures({"event_loop_lag_seconds": {"[]": [1.0, 2.0]}}), figures(1, 1, 0.1)
    assert finished(added([first, second])).samples("event_loop_lag_seconds") == [((), [1.0, 0.0, 0.0, 0.1])]
