from __future__ import annotations

from sockudo.webhooks.recent_keys import RecentKeys
from tests.fakes.clock import FakeClock


def test_a_key_is_new_once_within_its_time() -> None:
    clock = FakeClock()
    keys = RecentKeys[str](clock, 1.0, 10)
    assert [keys.add("a"), keys.add("a"), keys.add("b")] == [True, False, True]
    clock.advance(0.5)
    assert not keys.add("a")
    clock.advance(0.5)
    assert keys.add("a")


def test_the_oldest_key_makes_room() -> None:
    keys = RecentKeys[int](FakeClock(), 1.0, 2)
    assert [keys.add(number) for number in (1, 2, 3)] == [True] * 3
    assert not keys.add(3)
    assert keys.add(1)
