"""The cache in a real Redis, behind sentinels, TLS and a login, and in a Redis Cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog

from sockudo.cache.base import Cached
from sockudo.cache.redis import MAX_WRITES, RedisCache
from sockudo.errors import DriverError
from sockudo.redis_client.options import RedisPlace, RedisStoreOptions, RedisTarget, RedisTiming
from tests.contracts.cache import CacheContract
from tests.redis_client.clients import IMPATIENT, until
from tests.servers.redis_cluster import RedisClusterProcesses
from tests.servers.redis_places import PLACES, nodes_of
from tests.servers.redis_server import PASSWORD, RedisProcess

SETTING = "cache.redis.url_override"
CHANNEL = "app:1:channel:cache-news:cache_miss"


def make(place: RedisPlace, prefix: str = "sockudo_cache:", timing: RedisTiming = IMPATIENT) -> RedisCache:
    return RedisCache(RedisStoreOptions(place, prefix, timing))


@asynccontextmanager
async def started(
    place: RedisPlace, prefix: str = "sockudo_cache:", timing: RedisTiming = IMPATIENT
) -> AsyncIterator[RedisCache]:
    cache = make(place, prefix, timing)
    try:
        await cache.start()
        yield cache
    finally:
        await cache.aclose()


async def works(cache: RedisCache) -> bool:
    """Whether a cache passes its check."""
    try:
        await cache.check()
    except DriverError:
        return False
    return True


async def fails(cache: RedisCache) -> bool:
    """Whether it does not."""
    return not await works(cache)


@pytest.mark.parametrize("place", PLACES, indirect=True)
class TestRedisCache(CacheContract):
    @pytest.fixture
    async def cache(self, place: RedisPlace, unique: str) -> AsyncIterator[RedisCache]:
        async with started(place, unique, RedisTiming()) as cache:
            yield cache

    async def elapse(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def test_keys_and_values_are_those_of_the_original(redis_server: RedisProcess, unique: str) -> None:
    async with started(RedisTarget(redis_server.url), unique) as cache:
        cache.set(CHANNEL, b'{"event":"e"}', 60)
        await cache.get(CHANNEL)
        assert redis_server.cli("GET", f"{unique}:{CHANNEL}") == '{"event":"e"}'
        assert redis_server.cli("TTL", f"{unique}:{CHANNEL}") == "60"
        redis_server.cli("SETEX", f"{unique}:{CHANNEL}", "30", "theirs")
        assert await cache.get(CHANNEL) == Cached(b"theirs", 30)


async def test_a_read_sees_every_write_before_it(redis_server: RedisProcess, unique: str) -> None:
    async with started(RedisTarget(redis_server.url), unique) as cache:
        found = []
        for number in range(200):
            cache.set("key", b"%d" % number, 60)
            found.append(cache.get("key"))
        cache.delete("key")
        found.append(cache.get("key"))
        assert await asyncio.gather(*found) == [*(Cached(b"%d" % number, 60) for number in range(200)), None]


async def test_a_write_leaves_before_anything_else_of_its_tick(redis_server: RedisProcess, unique: str) -> None:
    async with started(RedisTarget(redis_server.url), unique) as cache:
        cache.set("key", b"value", 60)
        # The loop has had no turn.
        assert redis_server.cli("GET", f"{unique}:key") == "value"
        cache.delete("key")
        assert redis_server.cli("EXISTS", f"{unique}:key") == "0"


async def test_what_one_node_keeps_the_others_find(redis_server: RedisProcess, unique: str) -> None:
    place = RedisTarget(redis_server.url)
    async with started(place, unique) as one, started(place, unique) as other:
        assert one.is_shared
        one.set("key", b"value", 60)
        await one.check()
        assert await other.get("key") == Cached(b"value", 60)


async def test_an_absent_redis_stops_the_start_and_names_the_setting() -> None:
    cache = make(RedisTarget("redis://:s3cret@127.0.0.1:1", SETTING))
    with pytest.raises(DriverError, match=SETTING) as caught:
        await cache.start()
    assert "s3cret" not in str(caught.value)
    await cache.aclose()


async def test_a_user_that_may_not_write_stops_the_start(redis_acl: RedisProcess) -> None:
    redis_acl.cli("ACL", "SETUSER", "reader", "on", f">{PASSWORD}", "+ping", "+get", "+pttl", "~*")
    cache = make(RedisTarget(redis_acl.url, SETTING, username="reader", password=PASSWORD))
    with pytest.raises(DriverError, match=rf"{SETTING}.*SET is refused: NOPERM"):
        await cache.start()


async def test_the_rights_that_the_documentation_names_are_enough(redis_acl: RedisProcess, unique: str) -> None:
    rules = ["+ping", "+get", "+set", "+del", "+pttl", "+eval", "+evalsha", f"~{unique}:*"]
    redis_acl.cli("ACL", "SETUSER", "cache", "on", f">{PASSWORD}", *rules)
    async with started(RedisTarget(redis_acl.url, username="cache", password=PASSWORD), unique) as cache:
        cache.set("key", b"value", 60)
        assert await cache.get("key") == Cached(b"value", 60)
        await cache.check()


async def test_writes_are_made_again_when_redis_is_back(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING)) as cache:
        cache.set("before", b"v", 60)
        await cache.check()
        own_redis.kill()
        await until(lambda: fails(cache))
        with pytest.raises(DriverError, match=SETTING):
            await cache.get("before")
        # Whoever waits for a write is not held up.
        await cache.set("key", b"old", 60)
        cache.set("key", b"new", 60)
        cache.set("stays", b"v", 0)
        cache.set("gone", b"v", 60)
        cache.delete("gone")
        cache.set("ended", b"v", 0.001)
        await asyncio.to_thread(own_redis.start)
        await until(lambda: works(cache))
        found = [await cache.get(key) for key in ("before", "key", "stays", "gone", "ended")]
        assert found[0] is None
        assert found[1] is not None
        assert found[1].value == b"new"
        assert 50 <= found[1].ttl <= 60
        assert found[2:] == [Cached(b"v", 0), None, None]
        assert (cache.dropped, cache.refused) == (0, 0)


async def test_what_another_node_wrote_meanwhile_is_newer(own_redis: RedisProcess) -> None:
    place = RedisTarget(own_redis.url, SETTING)
    async with started(place, "p") as cache:
        own_redis.pause()
        cache.set("key", b"older", 60)
        with pytest.raises(DriverError, match=SETTING):
            await cache.get("key")
        own_redis.resume()
        async with started(place, "p", RedisTiming()) as other:
            # What hung may have been carried out by now; what the other node says is newer in any case.
            other.set("key", b"newer", 60)
            await other.check()
            await until(lambda: works(cache))
            assert (await found(cache, "key")).value == b"newer"


async def test_a_write_queued_in_an_outage_replaces_the_older_one(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING), "p") as cache:
        cache.set("key", b"older", 60)
        await cache.check()
        own_redis.pause()
        with pytest.raises(DriverError, match=SETTING):
            await cache.get("key")
        # The connection is given up, so this one waits here.
        cache.set("key", b"newer", 60)
        own_redis.resume()
        await until(lambda: works(cache))
        assert (await found(cache, "key")).value == b"newer"


async def found(cache: RedisCache, key: str) -> Cached:
    """Return what is there."""
    value = await cache.get(key)
    assert value is not None
    return value


async def test_waiting_writes_are_bounded_and_dropped_ones_logged_once(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING)) as cache:
        own_redis.kill()
        await until(lambda: fails(cache))
        with structlog.testing.capture_logs() as logs:
            for number in range(MAX_WRITES + 500):
                cache.set(f"key{number}", b"v", 60)
                if number % 1000 == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert cache.dropped == 500
        assert [line["event"] for line in logs if "dropped" in line["event"]] == [
            "cached events are dropped: redis is away and too many wait for it"
        ]
        await asyncio.to_thread(own_redis.start)
        await until(lambda: works(cache))
        assert await cache.get("key499") is None
        assert (await found(cache, "key500")).value == b"v"


async def test_large_values_that_wait_are_bounded_by_their_bytes(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING)) as cache:
        own_redis.kill()
        await until(lambda: fails(cache))
        for number in range(40):
            cache.set(f"key{number}", b"x" * 1_000_000, 60)
            await asyncio.sleep(0)
        assert 20 < cache.dropped < 40


async def test_a_full_redis_is_logged_and_counted_and_fails_checks(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING)) as cache:
        await asyncio.to_thread(own_redis.cli, "CONFIG", "SET", "maxmemory", "1")
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                cache.set("key", b"v", 60)
            with pytest.raises(DriverError, match=rf"{SETTING}.*OOM"):
                await cache.check()
        assert cache.refused == 3
        assert len([line for line in logs if line["event"] == "redis refuses a cached event"]) == 1
        await asyncio.to_thread(own_redis.cli, "CONFIG", "SET", "maxmemory", "0")
        await cache.check()


async def test_a_redis_that_hangs_fails_a_read_in_time(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING)) as cache:
        own_redis.pause()
        try:
            async with asyncio.timeout(20):
                with pytest.raises(DriverError, match=r"no answer in 0\.3 s"):
                    await cache.get("key")
        finally:
            own_redis.resume()
        await until(lambda: works(cache))


async def test_writes_just_before_the_end_are_made(redis_server: RedisProcess, unique: str) -> None:
    cache = make(RedisTarget(redis_server.url), unique)
    await cache.start()
    cache.set("last", b"word", 60)
    await cache.aclose()
    assert redis_server.cli("GET", f"{unique}:last") == "word"


async def test_a_key_of_another_type_misses_until_it_is_set(own_redis: RedisProcess) -> None:
    place = RedisTarget(own_redis.url)
    async with started(place) as cache:
        await asyncio.to_thread(own_redis.cli, "RPUSH", f"sockudo_cache::{CHANNEL}", "a list")
        assert await cache.get(CHANNEL) is None
        assert await works(cache)
        await cache.set(CHANNEL, b"value", 60)
        assert await cache.get(CHANNEL) == Cached(b"value", 60)


@pytest.mark.parametrize("full_coverage", ["no", "yes"])
async def test_one_dead_master_of_a_cluster_loses_no_cached_event(
    full_coverage: str, own_redis_cluster: RedisClusterProcesses
) -> None:
    cluster = own_redis_cluster
    for node in cluster.nodes:
        await asyncio.to_thread(node.cli, "CONFIG", "SET", "cluster-require-full-coverage", full_coverage)
    async with started(nodes_of(cluster), timing=RedisTiming()) as cache:
        keys = [f"key{number}" for number in range(12)]
        masters = {key: await asyncio.to_thread(cluster.master_of, f"sockudo_cache::{key}") for key in keys}
        victim = masters[keys[0]]
        assert len(set(masters.values())) == 3
        replica = await asyncio.to_thread(cluster.replica_of, victim)
        alive = [key for key in keys if masters[key] is not victim]
        replica.kill()
        victim.kill()
        if full_coverage == "yes":
            witness = masters[alive[0]]
            await until(lambda: asyncio.to_thread(lambda: "cluster_state:fail" in witness.cli("CLUSTER", "INFO")))
        for key in keys:
            await cache.set(key, b"new", 60)
        if full_coverage == "no":
            assert [await cache.get(key) for key in alive] == [Cached(b"new", 60)] * len(alive)
        await asyncio.to_thread(victim.start)
        await until(lambda: works(cache), 60)

        async def has_all() -> bool:
            try:
                return all([await cache.get(key) is not None for key in keys])
            except DriverError:
                return False

        await until(has_all, 60)
        assert (cache.refused, cache.dropped) == (0, 0)
