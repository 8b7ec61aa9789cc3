"""The client of stores: one Redis, behind TLS, with a user, the master of sentinels, a Redis Cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sockudo.errors import DriverError
from sockudo.redis_client.base import RedisClient, Script
from sockudo.redis_client.options import RedisPlace, RedisTarget, RedisTiming
from sockudo.redis_client.request import RedisRefusal
from tests.redis_client.clients import started
from tests.servers.redis_places import PLACES
from tests.servers.redis_server import RedisProcess

ADD = Script("redis.call('SET', KEYS[1], ARGV[1]) return redis.call('INCR', KEYS[1])")


@pytest.fixture
async def client(place: RedisPlace) -> AsyncIterator[RedisClient]:
    async with started(place) as client:
        yield client


@pytest.mark.parametrize("place", PLACES, indirect=True)
class TestEveryPlace:
    async def test_commands_are_answered_in_their_order(self, client: RedisClient) -> None:
        keys = [b"store:%d" % number for number in range(50)]
        for value in (b"first", b"second"):
            for key in keys:
                client.call(b"SET", key, value)
        found = [client.call(b"GET", key) for key in keys]
        assert await asyncio.gather(*found) == [b"second"] * 50

    async def test_a_result_is_what_the_reader_makes_of_the_reply(self, client: RedisClient) -> None:
        assert await client.run_for(lambda reply: f"{reply} pieces", ADD, [b"store:n"], [b"41"]) == "42 pieces"
        with pytest.raises(DriverError, match="the reply to EVALSHA is not understood"):
            await client.run_for(lambda reply: reply["no list"], ADD, [b"store:n"], [b"41"])
        await client.check()

    async def test_a_script_runs_on_servers_whether_known_there_or_not(self, client: RedisClient) -> None:
        keys = [b"store:script:%d" % number for number in range(20)]
        for start in (1, 10):
            results = [client.run(ADD, [key], [b"%d" % start]) for key in keys]
            assert await asyncio.gather(*results) == [start + 1] * 20

    async def test_what_the_server_refuses_fails_alone(self, client: RedisClient) -> None:
        await client.call(b"SET", b"store:text", b"text")
        refused, fine = client.call(b"INCR", b"store:text"), client.call(b"GET", b"store:text")
        with pytest.raises(RedisRefusal, match="INCR is refused: ERR value is not an integer"):
            await refused
        assert await fine == b"text"

    async def test_whoever_does_not_wait_any_more_disturbs_nobody(self, client: RedisClient) -> None:
        futures = [client.call(b"ECHO", b"%d" % number, key=b"store:one") for number in range(3)]
        futures[1].cancel()
        assert [await futures[0], await futures[2]] == [b"0", b"2"]

    async def test_a_client_that_works_passes_its_check(self, client: RedisClient) -> None:
        await client.check()

    async def test_closing_waits_for_sent_commands_and_may_be_repeated(
        self, client: RedisClient, place: RedisPlace
    ) -> None:
        sent = client.call(b"SET", b"store:last", b"word")
        await client.aclose()
        assert await sent == b"OK"
        await client.aclose()
        async with started(place) as other:
            assert await other.call(b"GET", b"store:last") == b"word"


async def test_a_command_that_blocks_may_take_longer_than_others(redis_server: RedisProcess) -> None:
    timing = RedisTiming(answer_timeout=0.1)
    async with (
        started(RedisTarget(redis_server.url), timing) as client,
        started(RedisTarget(redis_server.url)) as other,
    ):
        popped = client.call(b"BLPOP", b"store:list", b"5", patience=6)
        await asyncio.sleep(0.3)
        await other.call(b"RPUSH", b"store:list", b"item")
        assert await popped == [b"store:list", b"item"]
