from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.cache.base import Cached
from sockudo.cache.memory import ENTRY_BYTES, MemoryCache
from tests.contracts.cache import CacheContract
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cache(clock: FakeClock) -> MemoryCache:
    return MemoryCache(3, clock)


class TestMemoryCache(CacheContract):
    @pytest.fixture
    def cache(self, clock: FakeClock) -> MemoryCache:
        self.clock = clock
        return MemoryCache(10, clock)

    async def elapse(self, seconds: float) -> None:
        self.clock.advance(seconds)


def test_an_entry_lives_until_the_very_end_of_its_time(cache: MemoryCache, clock: FakeClock) -> None:
    cache.set("key", b"value", 10)
    clock.advance(9.75)
    assert cache.get("key") == Cached(b"value", 1)
    clock.advance(0.25)
    assert cache.get("key") is None


def test_an_expired_entry_leaves_memory_when_it_is_asked_for(cache: MemoryCache, clock: FakeClock) -> None:
    cache.set("key", b"value", 10)
    clock.advance(10)
    assert cache.size == 1
    cache.get("key")
    assert cache.size == 0


def test_stepping_the_wall_clock_expires_nothing(cache: MemoryCache, clock: FakeClock) -> None:
    cache.set("key", b"value", 10)
    clock.set_now(clock.now() + 3600)
    assert cache.get("key") == Cached(b"value", 10)


def test_what_was_not_used_for_longest_goes_first(cache: MemoryCache) -> None:
    for key in ("a", "b", "c"):
        cache.set(key, b"", 30)
    cache.get("a")
    cache.set("b", b"again", 30)
    cache.set("d", b"", 30)
    assert cache.get("c") is None
    assert [cache.get(key) is not None for key in ("a", "b", "d")] == [True, True, True]
    assert cache.size == 3


def test_entries_that_never_expire_count_as_used_too(cache: MemoryCache) -> None:
    for key in ("a", "b", "c"):
        cache.set(key, b"", 0)
    cache.get("a")
    cache.set("d", b"", 0)
    assert cache.get("a") is not None
    assert cache.get("b") is None


def test_replacing_an_entry_of_a_full_cache_evicts_nothing(cache: MemoryCache) -> None:
    for key in ("a", "b", "c"):
        cache.set(key, b"", 30)
    cache.set("c", b"again", 30)
    assert [cache.get(key) is not None for key in ("a", "b", "c")] == [True, True, True]


def test_a_full_cache_drops_expired_entries_before_live_ones(cache: MemoryCache, clock: FakeClock) -> None:
    cache.set("old but alive", b"", 30)
    cache.set("expired", b"", 1)
    cache.set("alive", b"", 0)
    cache.get("expired")
    clock.advance(2)
    cache.set("new", b"", 30)
    assert [cache.get(key) is not None for key in ("old but alive", "alive", "new")] == [True, True, True]


def test_sweeping_drops_what_has_expired_and_nothing_else(cache: MemoryCache, clock: FakeClock) -> None:
    cache.set("expired", b"", 5)
    cache.set("alive", b"", 6)
    cache.set("for good", b"", 0)
    clock.advance(5)
    cache.sweep()
    assert cache.size == 2
    assert cache.get("alive") == Cached(b"", 1)
    assert cache.get("for good") == Cached(b"", 0)


def test_sweeping_drops_nothing_in_the_second_before_its_end(cache: MemoryCache, clock: FakeClock) -> None:
    cache.set("key", b"", 5.5)
    clock.advance(5.25)
    cache.sweep()
    assert cache.get("key") == Cached(b"", 1)


def test_sweeping_does_not_drop_what_replaced_an_expired_entry(cache: MemoryCache, clock: FakeClock) -> None:
    cache.set("key", b"old", 5)
    cache.set("key", b"new", 50)
    clock.advance(5)
    cache.sweep()
    assert cache.get("key") == Cached(b"new", 45)


def test_a_cache_without_room_keeps_nothing(clock: FakeClock) -> None:
    cache = MemoryCache(0, clock)
    cache.set("key", b"value", 30)
    assert cache.get("key") is None
    assert cache.size == 0


async def test_a_closed_cache_holds_nothing(cache: MemoryCache) -> None:
    cache.set("key", b"value", 30)
    cache.set("for good", b"value", 0)
    await cache.aclose()
    assert cache.size == 0
    assert cache.get("key") is None


Step = tuple[str, str, int]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.sampled_from("abcdef"), st.integers(0, 6)),
            st.tuples(st.sampled_from(["get", "delete"]), st.sampled_from("abcdef"), st.just(0)),
            st.tuples(st.sampled_from(["advance", "sweep"]), st.just(""), st.integers(0, 3)),
        ),
        max_size=60,
    )
)
def test_it_agrees_with_a_dictionary_and_stays_in_its_bound(steps: list[Step]) -> None:
    clock = FakeClock()
    cache = MemoryCache(4, clock)
    model: dict[str, tuple[bytes, float]] = {}
    for number, (step, key, argument) in enumerate(steps):
        if step == "set":
            cache.set(key, value := str(number).encode(), argument)
            model[key] = (value, clock.monotonic() + argument if argument else float("inf"))
        elif step == "get":
            found = cache.get(key)
            alive = key in model and model[key][1] > clock.monotonic()
            assert found is None or (alive and found.value == model[key][0])
        elif step == "delete":
            cache.delete(key)
            model.pop(key, None)
        else:
            clock.advance(argument / 2)
            if step == "sweep":
                cache.sweep()
        assert cache.size <= 4


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 5), st.integers(0, 3)), max_size=40))
def test_a_cache_that_is_never_full_loses_nothing(sets: list[tuple[str, int, int]]) -> None:
    clock = FakeClock()
    cache = MemoryCache(4, clock)
    expires: dict[str, float] = {}
    for key, ttl, pause in sets:
        cache.set(key, b"", ttl)
        expires[key] = clock.monotonic() + ttl
        clock.advance(pause)
        cache.sweep()
        for known, end in expires.items():
            left = end - clock.monotonic()
            assert cache.get(known) == (Cached(b"", int(left)) if left > 0 else None)


def test_what_was_not_used_for_longest_makes_room_for_bytes(clock: FakeClock) -> None:
    cache = MemoryCache(100, clock, max_bytes=3 * (ENTRY_BYTES + 1001))
    for key in "abc":
        cache.set(key, b"x" * 1000, 30)
    cache.get("a")
    cache.set("d", b"x" * 1000, 30)
    assert [key for key in "abcd" if cache.get(key) is not None] == ["a", "c", "d"]
    cache.set("e", b"x" * 2401, 30)
    assert [key for key in "abcde" if cache.get(key) is not None] == ["d", "e"]
    cache.set("f", b"x" * 9000, 30)
    assert (cache.size, cache.bytes) == (0, 0)


def test_large_events_take_no_more_than_the_bound(clock: FakeClock) -> None:
    cache = MemoryCache(10_000, clock, max_bytes=10_000_000)
    for number in range(1000):
        cache.set(f"key-{number}", bytes(100_000), 30)
        assert cache.bytes <= 10_000_000
    assert 90 < cache.size < 100
    clock.advance(60)
    cache.sweep()
    assert (cache.size, cache.bytes) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000), st.sampled_from([0, 1, 5])), max_size=40))
def test_the_bytes_are_those_of_the_entries(steps: list[tuple[str, int, int]]) -> None:
    clock = FakeClock()
    cache = MemoryCache(4, clock, max_bytes=6000)
    for key, size, ttl in steps:
        if size % 7 == 0:
            cache.delete(key)
        elif size % 5 == 0:
            clock.advance(1)
            cache.sweep()
        else:
            cache.set(key, bytes(size), ttl)
        assert cache.bytes == sum(entry.size for entry in cache._entries.values()) <= 6000
