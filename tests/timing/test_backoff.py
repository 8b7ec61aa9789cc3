"""How long a driver waits between two attempts."""

from __future__ import annotations

from itertools import islice

from sockudo.timing.backoff import FIRST_DELAY, LONGEST_DELAY, delays


def test_first_attempts_are_soon_and_later_ones_never_far_apart() -> None:
    for number, delay in enumerate(islice(delays(), 100)):
        usual = min(FIRST_DELAY * 2**number, LONGEST_DELAY)
        assert usual / 2 <= delay <= usual


def test_long_lost_nodes_return_within_a_second_of_the_bus() -> None:
    assert max(islice(delays(), 1000)) <= 1.0


def test_nodes_do_not_come_back_at_once() -> None:
    assert len({next(delays()) for _ in range(10)}) > 1
