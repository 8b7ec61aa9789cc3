from __future__ import annotations

from sockudo.cache.base import Cache
from sockudo.cache.none import NoCache


async def test_everything_is_a_miss() -> None:
    cache: Cache = NoCache()
    cache.set("key", b"value", 30)
    assert cache.get("key") is None


async def test_it_can_be_used_like_any_other() -> None:
    cache: Cache = NoCache()
    cache.delete("key")
    cache.check()
    await cache.aclose()
    await cache.aclose()
