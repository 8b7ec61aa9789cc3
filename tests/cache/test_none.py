from __future__ import annotations

from sockudo.cache.base import Cache
from sockudo.cache.none import NoCache
from tests.support.answers import settle


async def test_everything_is_a_miss() -> None:
    cache: Cache = NoCache()
    await settle(cache.set("key", b"value", 30))
    assert await settle(cache.get("key")) is None


async def test_it_can_be_used_like_any_other() -> None:
    cache: Cache = NoCache()
    await settle(cache.delete("key"))
    await settle(cache.check())
    await cache.aclose()
    await cache.aclose()
