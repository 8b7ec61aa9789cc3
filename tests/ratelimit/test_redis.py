"""The rate limiter in a real Redis and in a Redis Cluster; its window against the plainest one that can be written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sockudo.errors import DriverError
from sockudo.ratelimit.base import Decision, Limit
from sockudo.ratelimit.redis import DECIDE, RedisRateLimiter, decision_of
from sockudo.redis_client.base import RedisClient, Script
from sockudo.redis_client.options import RedisPlace, RedisStoreOptions, RedisTarget, RedisTiming
from tests.contracts.rate_limiter import RateLimiterContract
from tests.redis_client.clients import IMPATIENT, until
from tests.redis_client.clients import started as client_of
from tests.servers.redis_cluster import RedisClusterProcesses
from tests.servers.redis_places import PLACES, nodes_of
from tests.servers.redis_server import PASSWORD, RedisProcess

SETTING = "rate_limiter.redis.url_override"


@asynccontextmanager
async def started(
    place: RedisPlace, prefix: str = "sockudo_rl:", timing: RedisTiming = IMPATIENT
) -> AsyncIterator[RedisRateLimiter]:
    limiter = RedisRateLimiter(RedisStoreOptions(place, prefix, timing))
    try:
        await limiter.start()
        yield limiter
    finally:
        await limiter.aclose()


@pytest.mark.parametrize("place", PLACES, indirect=True)
class TestRedisRateLimiter(RateLimiterContract):
    @pytest.fixture
    async def limiter(self, place: RedisPlace, unique: str) -> AsyncIterator[RedisRateLimiter]:
        async with started(place, unique, RedisTiming()) as limiter:
            yield limiter

    async def elapse(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def test_the_key_is_the_originals_and_expires_with_its_window(redis_server: RedisProcess, unique: str) -> None:
    async with started(RedisTarget(redis_server.url), unique) as limiter:
        await limiter.consume("api::192.0.2.1", Limit(5, 30), 3)
        key = f"{unique}:rl:api::192.0.2.1"
        assert redis_server.cli("ZCARD", key) == "3"
        assert 29 <= int(redis_server.cli("TTL", key)) <= 30


async def test_nodes_share_a_limit(redis_server: RedisProcess, unique: str) -> None:
    place, limit = RedisTarget(redis_server.url), Limit(25, 60)
    async with started(place, unique) as one, started(place, unique) as other:
        answers = [limiter.consume("key", limit) for _ in range(20) for limiter in (one, other)]
        decisions = await asyncio.gather(*answers)
    assert sum(decision.allowed for decision in decisions) == 25
    assert sorted(decision.remaining for decision in decisions if decision.allowed) == list(range(25))


async def test_decisions_are_in_the_order_of_their_questions(redis_server: RedisProcess, unique: str) -> None:
    async with started(RedisTarget(redis_server.url), unique) as limiter:
        decisions = await asyncio.gather(*(limiter.consume("key", Limit(50, 60)) for _ in range(60)))
    assert [decision.remaining for decision in decisions] == [*range(49, -1, -1), *[0] * 10]


async def test_a_dead_cluster_master_leaves_the_limits_of_others_alone(
    own_redis_cluster: RedisClusterProcesses, unique: str
) -> None:
    cluster = own_redis_cluster
    for node in cluster.nodes:
        await asyncio.to_thread(node.cli, "CONFIG", "SET", "cluster-require-full-coverage", "no")
    async with started(nodes_of(cluster), unique, RedisTiming()) as limiter:
        keys = [f"key{number}" for number in range(12)]
        masters = {key: await asyncio.to_thread(cluster.master_of, f"{unique}:rl:{key}") for key in keys}
        victim = masters[keys[0]]
        alive = [key for key in keys if masters[key] is not victim]
        (await asyncio.to_thread(cluster.replica_of, victim)).kill()
        victim.kill()
        witness = masters[alive[0]]
        # Also after the servers have agreed that the master is dead.
        async with asyncio.timeout(30):
            while "fail" not in await asyncio.to_thread(witness.cli, "CLUSTER", "NODES"):  # noqa: ASYNC110 - servers have no event
                await asyncio.sleep(0.05)
        decisions = [await limiter.consume(key, Limit(1, 60)) for key in alive * 2]
        assert [decision.allowed for decision in decisions] == [True] * len(alive) + [False] * len(alive)
        with pytest.raises(DriverError):
            await limiter.consume(keys[0], Limit(1, 60))


async def test_keys_of_a_cluster_are_counted_by_their_own_servers(
    redis_cluster: RedisClusterProcesses, unique: str
) -> None:
    async with started(nodes_of(redis_cluster), unique, RedisTiming()) as limiter:
        limit = Limit(1, 60)
        keys = [f"api::192.0.2.{number}" for number in range(60)]
        assert all(decision.allowed for decision in await asyncio.gather(*(limiter.consume(k, limit) for k in keys)))
        assert not any(d.allowed for d in await asyncio.gather(*(limiter.consume(k, limit) for k in keys)))
    masters = {redis_cluster.master_of(f"{unique}:rl:{key}").port for key in keys[:20]}
    assert len(masters) > 1


@pytest.mark.parametrize("place", PLACES, indirect=True)
async def test_clients_that_race_are_admitted_exactly_the_limit(place: RedisPlace, unique: str) -> None:
    limit, keys = Limit(700, 600), [f"api::192.0.2.{number}" for number in range(4)]

    async def one_client() -> list[int]:
        async with started(place, unique, RedisTiming()) as limiter:
            admitted = [0] * len(keys)
            for _ in range(30):
                answers = await asyncio.gather(*(limiter.consume(key, limit) for key in keys for _ in range(4)))
                for index, answer in enumerate(answers):
                    admitted[index // 4] += answer.allowed
            return admitted

    counts = await asyncio.gather(*(one_client() for _ in range(12)))
    assert [sum(count) for count in zip(*counts, strict=True)] == [700] * len(keys)


async def test_a_replica_that_takes_over_goes_on_counting(own_redis_cluster: RedisClusterProcesses) -> None:
    limit, key = Limit(20, 600), "sockudo_rl::rl:api::192.0.2.1"
    async with started(nodes_of(own_redis_cluster)) as limiter:
        before = await asyncio.gather(*(limiter.consume("api::192.0.2.1", limit) for _ in range(12)))
        assert all(decision.allowed for decision in before)
        master = await asyncio.to_thread(own_redis_cluster.master_of, key)
        replica = await asyncio.to_thread(own_redis_cluster.replica_of, master)

        async def has_all() -> bool:
            link = await asyncio.to_thread(replica.cli, "INFO", "replication")
            ours = await asyncio.to_thread(master.cli, "INFO", "replication")
            offset = re.search(r"master_repl_offset:(\d+)", ours)
            return offset is not None and f"slave_repl_offset:{offset[1]}" in link

        await until(has_all)
        master.kill()
        admitted = 0

        async def is_used_up() -> bool:
            nonlocal admitted
            try:
                decision = await limiter.consume("api::192.0.2.1", limit)
            except DriverError:
                return False
            admitted += decision.allowed
            return not decision.allowed

        await until(is_used_up, within=60)
    assert admitted <= 8
    assert (await asyncio.to_thread(replica.cli, "ZCARD", key)) == "20"


async def test_a_script_that_the_server_forgot_is_told_again(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url)) as limiter:
        await asyncio.to_thread(own_redis.cli, "SCRIPT", "FLUSH")
        decisions = await asyncio.gather(*(limiter.consume("key", Limit(2, 60)) for _ in range(3)))
        assert sum(decision.allowed for decision in decisions) == 2


async def test_the_rights_that_the_documentation_names_are_enough(redis_acl: RedisProcess, unique: str) -> None:
    commands = ("ping", "eval", "evalsha", "time", "zadd", "zcard", "zrange", "zrangebyscore", "zremrangebyscore")
    rules = [*(f"+{command}" for command in commands), "+pexpire", f"~{unique}:*"]
    redis_acl.cli("ACL", "SETUSER", "limiter", "on", f">{PASSWORD}", *rules)
    async with started(RedisTarget(redis_acl.url, username="limiter", password=PASSWORD), unique) as limiter:
        assert (await limiter.consume("key", Limit(1, 60))).allowed


async def test_a_user_that_may_not_count_stops_the_start(redis_acl: RedisProcess) -> None:
    redis_acl.cli("ACL", "SETUSER", "nobody", "on", f">{PASSWORD}", "+ping", "~*")
    target = RedisTarget(redis_acl.url, SETTING, username="nobody", password=PASSWORD)
    with pytest.raises(DriverError, match=rf"{SETTING}.*NOPERM"):
        async with started(target):
            pass


async def test_an_absent_redis_stops_the_start_and_names_the_setting() -> None:
    with pytest.raises(DriverError, match=SETTING) as caught:
        async with started(RedisTarget("redis://:s3cret@127.0.0.1:1", SETTING)):
            pass
    assert "s3cret" not in str(caught.value)


async def test_nobody_is_let_through_while_redis_is_away(own_redis: RedisProcess) -> None:
    limit = Limit(5, 60)
    async with started(RedisTarget(own_redis.url, SETTING)) as limiter:
        assert (await limiter.consume("key", limit)).allowed
        own_redis.pause()
        async with asyncio.timeout(20):
            with pytest.raises(DriverError, match=SETTING):
                await limiter.consume("key", limit)
        own_redis.kill()
        with pytest.raises(DriverError, match=SETTING):
            await limiter.consume("key", limit)
        with pytest.raises(DriverError, match=SETTING):
            await limiter.check()
        await asyncio.to_thread(own_redis.start)

        async def works() -> bool:
            try:
                await limiter.check()
            except DriverError:
                return False
            return True

        await until(works)
        assert (await limiter.consume("key", limit)).allowed


# The window itself. The script is given its time, in milliseconds that the tests move.

_ASK = st.tuples(st.integers(0, 700), st.integers(1, 4))


class PlainWindow:
    """All units that were ever taken, and nothing forgotten."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._taken: list[int] = []

    def consume(self, now: int, cost: int) -> Decision:
        length = self._limit.seconds * 1000
        inside = [moment for moment in self._taken if moment > now - length]
        allowed = len(inside) + cost <= self._limit.requests
        if allowed:
            self._taken += [now] * cost
            inside += [now] * cost
        wait = min(inside) + length - now if inside else length
        reset_after = min(max(1, -(-wait // 1000)), self._limit.seconds)
        return Decision(allowed, self._limit.requests, max(0, self._limit.requests - len(inside)), reset_after)


_TIMED = Script("local now = tonumber(ARGV[5])\n" + DECIDE)


class Window:
    """The limiter's script at moments (milliseconds) that a test sets."""

    def __init__(self, client: RedisClient, key: str, limit: Limit) -> None:
        self._client = client
        self._key = key.encode()
        self._limit = limit
        self._names = count()

    async def consume(self, now: int, cost: int = 1) -> Decision:
        words = (self._limit.requests, self._limit.seconds * 1_000_000, cost, next(self._names), now * 1000)
        reply = await self._client.run(_TIMED, [self._key], [b"%d" % word for word in words])
        return decision_of(self._limit, reply)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(requests=st.integers(0, 6), seconds=st.integers(1, 2), asks=st.lists(_ASK, max_size=30))
async def test_the_window_decides_as_the_plainest_one_does(
    redis_server: RedisProcess, requests: int, seconds: int, asks: list[tuple[int, int]]
) -> None:
    limit, now = Limit(requests, seconds), 1_800_000_000_000
    plain = PlainWindow(limit)
    async with client_of(RedisTarget(redis_server.url), RedisTiming()) as client:
        window = Window(client, f"window:{uuid4().hex}", limit)
        for pause, cost in asks:
            now += pause
            assert await window.consume(now, cost) == plain.consume(now, cost)


async def test_units_of_the_same_moment_are_all_counted(redis_server: RedisProcess, unique: str) -> None:
    async with client_of(RedisTarget(redis_server.url), RedisTiming()) as client:
        window = Window(client, unique, Limit(3, 1))
        allowed = [(await window.consume(1000)).allowed for _ in range(5)]
    assert allowed == [True, True, True, False, False]


async def test_a_clock_set_back_neither_opens_nor_shuts_the_window(redis_server: RedisProcess, unique: str) -> None:
    async with client_of(RedisTarget(redis_server.url), RedisTiming()) as client:
        window = Window(client, unique, Limit(2, 10))
        for _ in range(2):
            assert (await window.consume(5_000_000)).allowed
        # An hour ago: what was taken counts as taken now.
        assert await window.consume(1_400_000) == Decision(False, 2, 0, 10)
        assert await window.consume(1_409_999) == Decision(False, 2, 0, 1)
        assert (await window.consume(1_410_000)).allowed


async def test_foreign_values_in_place_of_a_window_are_dropped(own_redis: RedisProcess) -> None:
    place = RedisTarget(own_redis.url)
    await asyncio.to_thread(own_redis.cli, "SET", "sockudo_rl::rl:key", "7")
    await asyncio.to_thread(own_redis.cli, "ZADD", "sockudo_rl::rl:far", "inf", "garbage")
    async with started(place) as limiter:
        limit = Limit(2, 60)
        assert [(await limiter.consume("key", limit)).allowed for _ in range(3)] == [True, True, False]
        assert (await limiter.consume("far", limit)).reset_after <= 60
