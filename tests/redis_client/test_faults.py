"""The client of stores when Redis is not there, dies, hangs or moves."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import pytest

from sockudo.errors import DriverError
from sockudo.redis_client.client import redis_client
from sockudo.redis_client.options import RedisTarget, RedisTiming
from sockudo.redis_client.request import RedisLost
from tests.redis_client.clients import IMPATIENT, lost, started, until, works
from tests.servers.ports import free_port
from tests.servers.redis_places import sentinels_of
from tests.servers.redis_sentinel import MASTER_NAME, SentinelGroup
from tests.servers.redis_server import PASSWORD, RedisProcess

SETTING = "database.redis"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://127.0.0.1:{port}", "Connection refused"),
        ("redis://:wr0ng@127.0.0.1:{server}", "AUTH is refused"),
        ("rediss://127.0.0.1:{server}", "TLS fails|no connection|reset"),
        ("unix:///nowhere/redis.sock", "No such file"),
        ("redis://:wr0ng@127.0.0.1:x", "it is no URL"),
    ],
)
async def test_a_start_that_fails_names_the_setting_and_no_secret(
    redis_server: RedisProcess, url: str, problem: str
) -> None:
    client = redis_client(RedisTarget(url.format(port=free_port(), server=redis_server.port), SETTING), IMPATIENT)
    with pytest.raises(DriverError, match=problem) as caught:
        await client.start()
    await client.aclose()
    assert SETTING in str(caught.value)
    assert "wr0ng" not in str(caught.value)


async def test_a_redis_that_died_fails_commands_until_found_again(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING)) as client:
        restored = asyncio.Event()
        client.on_restored = restored.set
        await client.call(b"SET", b"k", b"v")
        own_redis.kill()
        await until(lambda: lost(client))
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(RedisLost, match=SETTING):
            await client.call(b"GET", b"k")
        assert loop.time() - began < 0.1
        await asyncio.to_thread(own_redis.start)
        await asyncio.wait_for(restored.wait(), 10)
        assert await client.call(b"GET", b"k") is None


async def test_commands_on_their_way_to_a_redis_that_died_fail(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING), RedisTiming()) as client:
        blocked = client.call(b"BLPOP", b"k", b"0", patience=60)
        behind = client.call(b"GET", b"k")
        await asyncio.sleep(0)
        own_redis.kill()
        for future in (blocked, behind):
            with pytest.raises(RedisLost, match=r"closed the connection|connection broke"):
                await future


async def test_a_hanging_redis_fails_waiting_commands_and_is_found_again(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING)) as client:
        own_redis.pause()
        async with asyncio.timeout(20):
            with pytest.raises(RedisLost, match=r"no answer in 0\.3 s"):
                await client.call(b"GET", b"k")
        own_redis.resume()
        await until(lambda: works(client))


async def test_a_redis_that_hangs_while_nobody_asks_is_noticed(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING)) as client:
        changed = asyncio.Event()
        client.on_restored = changed.set
        own_redis.pause()
        try:
            # Longer than a probe and its answer may take: the line is lost by then and can only come back later.
            await asyncio.sleep(1)
            with pytest.raises(RedisLost):
                await client.call(b"GET", b"k")
        finally:
            own_redis.resume()
        await asyncio.wait_for(changed.wait(), 10)


async def test_a_delayed_event_loop_does_not_pass_for_silence(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING)) as client:
        answer = client.call(b"GET", b"k")
        await asyncio.sleep(0)
        hold_up(1.0)
        assert await answer is None


def hold_up(seconds: float) -> None:
    """Let nobody else do anything for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


async def test_a_password_that_is_needed_meanwhile_is_said(own_redis: RedisProcess) -> None:
    async with started(RedisTarget(own_redis.url, SETTING)) as client:
        await client.call(b"CONFIG", b"SET", b"requirepass", b"later")
        # A connection that is logged in stays so.
        await client.check()
        with contextlib.suppress(DriverError):
            await client.call(b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"no")

        async def says_so() -> bool:
            try:
                await client.check()
            except DriverError as error:
                return "NOAUTH" in str(error)
            return False

        await until(says_so)


async def test_commands_follow_the_master_of_sentinels(sentinel_group: SentinelGroup) -> None:
    target = RedisTarget(setting=SETTING, password=PASSWORD, sentinels=sentinels_of(sentinel_group))
    async with started(target) as client:
        await client.call(b"SET", b"before", b"v")
        await client.call(b"WAIT", b"1", b"5000", patience=6)
        sentinel_group.master.kill()
        await until(lambda: lost(client))
        await until(lambda: works(client), 60)
        assert await client.call(b"GET", b"before") == b"v"
        assert await client.call(b"SET", b"after", b"v") == b"OK"


async def test_a_master_that_became_a_replica_is_left(sentinel_group: SentinelGroup) -> None:
    target = RedisTarget(setting=SETTING, password=PASSWORD, sentinels=sentinels_of(sentinel_group))
    async with started(target) as client:
        # Done by hand, it cuts no connection, as a sentinel's failover would.
        await asyncio.to_thread(sentinel_group.master.cli, "REPLICAOF", "127.0.0.1", str(sentinel_group.replica.port))
        await until(lambda: lost(client))
        await asyncio.to_thread(sentinel_group.sentinels[0].cli, "SENTINEL", "FAILOVER", MASTER_NAME)
        await until(lambda: works(client), 60)
        assert await client.call(b"SET", b"after", b"v") == b"OK"


async def test_a_certificate_that_nobody_vouches_for_is_refused(redis_tls: tuple[RedisProcess, Path]) -> None:
    client = redis_client(RedisTarget(f"rediss://127.0.0.1:{redis_tls[0].port}", SETTING))
    with pytest.raises(DriverError, match="certificate cannot be verified"):
        await client.start()
