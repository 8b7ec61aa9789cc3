"""Late and doubled messages are told from new ones."""

from __future__ import annotations

import pytest

from sockudo.bus.redis import stamps as redis_stamps
from sockudo.bus.redis.stamps import LateFilter, Stamper


def test_what_is_new_comes_without_its_stamp() -> None:
    stamper, late = Stamper(), LateFilter()
    assert [late.accept("t", stamper.stamp(data)) for data in (b"a", b"", b"a")] == [b"a", b"", b"a"]
    assert late.dropped == 0


def test_what_was_heard_before_or_is_older_is_dropped() -> None:
    stamper, late = Stamper(), LateFilter()
    first, second = stamper.stamp(b"1"), stamper.stamp(b"2")
    assert late.accept("t", second) == b"2"
    assert late.accept("t", second) is None
    assert late.accept("t", first) is None
    assert late.dropped == 2


def test_topics_and_senders_are_apart() -> None:
    one, another, late = Stamper(), Stamper(), LateFilter()
    first, second = one.stamp(b"1"), one.stamp(b"2")
    assert late.accept("t", second) == b"2"
    assert late.accept("u", first) == b"1"
    assert late.accept("t", another.stamp(b"3")) == b"3"


@pytest.mark.parametrize("data", [b"", b"x", b"12345678"])
def test_what_has_no_stamp_is_dropped(data: bytes) -> None:
    assert LateFilter().accept("t", data) is None


def test_numbers_are_compared_as_numbers() -> None:
    stamper, late = Stamper(), LateFilter()
    assert all(late.accept("t", stamper.stamp(b"x")) == b"x" for _ in range(70_000))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_stamps, "_MOST", 10)
    stamper, late = Stamper(), LateFilter()
    old = stamper.stamp(b"old")
    for number in range(15):
        assert late.accept(f"t{number}", stamper.stamp(b"x")) == b"x"
    # Still known after one turn, forgotten after two.
    assert late.accept("t0", old) is None
    for number in range(100, 130):
        late.accept(f"t{number}", stamper.stamp(b"x"))
    assert late.accept("t1", old) == b"old"
