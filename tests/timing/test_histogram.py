from __future__ import annotations

from sockudo.timing.histogram import Histogram


def test_a_value_is_counted_below_the_bound_that_it_equals() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        histogram.add(value)
    assert (histogram.counts, histogram.sum) == ([2, 2, 1], 7.5)


def test_a_value_may_be_counted_many_times_at_once() -> None:
    histogram = Histogram((1.0,))
    histogram.add(3.0, 4)
    assert (histogram.counts, histogram.sum) == ([0, 4], 12.0)
