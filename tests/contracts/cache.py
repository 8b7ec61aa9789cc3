"""What every cache driver does.

A driver's test module has `class TestX(CacheContract)` and a fixture `cache`. Where the driver's clock cannot be
moved by hand, `elapse` waits.
"""

from __future__ import annotations

import time

from sockudo.cache.base import Cache, Cached
from sockudo.eventual import Future
from tests.fakes.eventual import answer


class CacheContract:
    async def elapse(self, seconds: float) -> None:
        """Let `seconds` pass for the driver."""
        raise NotImplementedError

    async def test_a_value_is_found_with_the_seconds_it_has_left(self, cache: Cache) -> None:
        cache.set("key", b"value", 30)
        assert await answer(cache.get("key")) == Cached(b"value", 30)

    async def test_what_was_set_is_there_when_the_set_is_done(self, cache: Cache) -> None:
        done = cache.set("key", b"value", 30)
        if isinstance(done, Future):
            await done
        assert await answer(cache.get("key")) == Cached(b"value", 30)

    async def test_an_unknown_key_is_a_miss(self, cache: Cache) -> None:
        cache.set("key", b"value", 30)
        assert await answer(cache.get("other")) is None

    async def test_a_value_is_bytes_of_any_kind(self, cache: Cache) -> None:
        for value in (b"", b"\0\xff\r\n", "\N{SNOWMAN}".encode(), b"x" * 100_000):
            cache.set("key", value, 30)
            assert await answer(cache.get("key")) == Cached(value, 30)

    async def test_a_key_is_text_of_any_kind(self, cache: Cache) -> None:
        keys = ["app:1:channel:cache-news:cache_miss", "with space", "\N{SNOWMAN}", "{braces}*?[x]", "k" * 500]
        for key in keys:
            cache.set(key, key.encode(), 30)
        for key in keys:
            assert await answer(cache.get(key)) == Cached(key.encode(), 30)

    async def test_setting_again_replaces_the_value_and_the_time_to_live(self, cache: Cache) -> None:
        cache.set("key", b"old", 30)
        cache.set("key", b"new", 60)
        assert await answer(cache.get("key")) == Cached(b"new", 60)

    async def test_an_entry_is_gone_when_its_time_is_over(self, cache: Cache) -> None:
        cache.set("key", b"value", 1)
        await self.elapse(1.1)
        assert await answer(cache.get("key")) is None

    async def test_the_time_to_live_runs_down_despite_reads(self, cache: Cache) -> None:
        began = time.monotonic()
        cache.set("key", b"value", 30)
        cache.get("key")
        await self.elapse(1.1)
        found = await answer(cache.get("key"))
        assert found is not None
        assert 29 - max(1.1, time.monotonic() - began) <= found.ttl <= 29

    async def test_no_time_to_live_means_that_an_entry_stays(self, cache: Cache) -> None:
        cache.set("zero", b"value", 0)
        cache.set("negative", b"value", -1)
        await self.elapse(1.1)
        assert await answer(cache.get("zero")) == Cached(b"value", 0)
        assert await answer(cache.get("negative")) == Cached(b"value", 0)

    async def test_an_entry_that_stays_can_be_given_an_end(self, cache: Cache) -> None:
        cache.set("key", b"value", 0)
        cache.set("key", b"value", 1)
        await self.elapse(1.1)
        assert await answer(cache.get("key")) is None

    async def test_an_end_can_be_taken_away(self, cache: Cache) -> None:
        cache.set("key", b"value", 1)
        cache.set("key", b"value", 0)
        await self.elapse(1.1)
        assert await answer(cache.get("key")) == Cached(b"value", 0)

    async def test_part_of_a_second_counts_as_time_left(self, cache: Cache) -> None:
        cache.set("key", b"value", 0.5)
        assert await answer(cache.get("key")) == Cached(b"value", 1)
        await self.elapse(0.6)
        assert await answer(cache.get("key")) is None

    async def test_a_deleted_entry_is_a_miss(self, cache: Cache) -> None:
        cache.set("key", b"value", 30)
        cache.set("other", b"value", 30)
        cache.delete("key")
        assert await answer(cache.get("key")) is None
        assert await answer(cache.get("other")) is not None

    async def test_deleting_an_unknown_key_does_nothing(self, cache: Cache) -> None:
        cache.delete("unknown")

    async def test_a_cache_that_works_passes_its_check(self, cache: Cache) -> None:
        await answer(cache.check())

    async def test_closing_twice_does_no_harm(self, cache: Cache) -> None:
        cache.set("key", b"value", 30)
        await cache.aclose()
        await cache.aclose()
