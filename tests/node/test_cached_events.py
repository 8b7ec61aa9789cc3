from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given

from sockudo.cache.base import Cached
from sockudo.cache.memory import MemoryCache
from sockudo.cache.none import NoCache
from sockudo.cluster.messages.topics import channel_topic
from sockudo.node.cached_events import CachedEvent, CachedEvents
from sockudo.pusher.events import channel_event, json_text
from tests.fakes.clock import FakeClock
from tests.fakes.eventual import AskedCache, answer, now
from tests.fakes.node import APP_ID, World, make_app
from tests.servers.cluster import Bus, Member
from tests.support.properties import QUICK, texts

PAYLOAD = channel_event(b'"e"', "cache-x", b'"{\\"a\\":1}"')


def test_the_last_event_is_found_with_its_remaining_time() -> None:
    clock = FakeClock()
    kept = CachedEvents(MemoryCache(10, clock), ttl=60, clock=clock)
    kept.keep("1", "cache-x", b"before")
    kept.keep("1", "cache-x", PAYLOAD)
    clock.advance(20)
    found = now(kept.find("1", "cache-x"))
    assert found is not None
    assert (found.payload, found.data, found.ttl) == (PAYLOAD, '{"a":1}', 40)


def test_an_event_is_kept_for_its_time_and_no_longer() -> None:
    clock = FakeClock()
    kept = CachedEvents(MemoryCache(10, clock), ttl=60, clock=clock)
    kept.keep("1", "cache-x", PAYLOAD)
    clock.advance(60)
    assert kept.find("1", "cache-x") is None


def test_channels_and_apps_are_told_apart() -> None:
    kept = CachedEvents(MemoryCache(10, FakeClock()), ttl=60, clock=FakeClock())
    kept.keep("1", "cache-x", PAYLOAD)
    assert kept.find("1", "cache-y") is None
    assert kept.find("2", "cache-x") is None


def test_the_key_is_the_one_of_the_original_server() -> None:
    cache = MemoryCache(10, FakeClock())
    CachedEvents(cache, ttl=60, clock=FakeClock()).keep("1", "cache-x", PAYLOAD)
    assert cache.get("app:1:channel:cache-x:cache_miss") is not None


def test_without_a_cache_nothing_is_kept() -> None:
    kept = CachedEvents(NoCache(), ttl=60, clock=FakeClock())
    kept.keep("1", "cache-x", PAYLOAD)
    assert kept.find("1", "cache-x") is None


@QUICK
@given(texts, texts)
def test_any_data_comes_back(name: str, data: str) -> None:
    kept = CachedEvents(MemoryCache(10, FakeClock()), ttl=60, clock=FakeClock())
    kept.keep("1", "cache-x", channel_event(json_text(name), "cache-x", json_text(data)))
    found = now(kept.find("1", "cache-x"))
    assert found is not None
    assert found.data == data
    assert json.loads(found.payload) == {"event": name, "channel": "cache-x", "data": data}


# A cache that all nodes share


def shared() -> tuple[AskedCache, FakeClock, CachedEvents]:
    cache, clock = AskedCache(), FakeClock()
    return cache, clock, CachedEvents(cache, ttl=60, clock=clock)


async def test_a_shared_cache_is_asked_once_for_all_newcomers() -> None:
    cache, clock, kept = shared()
    first, second = kept.prepare("1", "cache-x"), kept.prepare("1", "cache-x")
    assert first is not None
    assert first is second
    assert len(cache.questions.open) == 1
    await cache.questions.answer(Cached(PAYLOAD, 40))
    assert first.done()
    assert kept.prepare("1", "cache-x") is None
    assert kept.recall("1", "cache-x") == CachedEvent(PAYLOAD, 40)
    clock.advance(1.1)
    assert not kept.is_asking("1", "cache-x")
    assert kept.prepare("1", "cache-x") is not None


@pytest.mark.parametrize("is_own", [True, False])
@pytest.mark.parametrize("is_answered", [True, False])
async def test_an_event_that_comes_meanwhile_replaces_the_answer(is_own: bool, is_answered: bool) -> None:
    cache, _, kept = shared()
    kept.prepare("1", "cache-x")
    if is_answered:
        await cache.questions.answer(Cached(b"old", 40))
    if is_own:
        kept.keep("1", "cache-x", PAYLOAD)
    else:
        kept.heard("1", "cache-x", PAYLOAD)
    kept.heard("1", "cache-y", b"other")
    if not is_answered:
        await cache.questions.answer(Cached(b"old", 40))
    assert kept.recall("1", "cache-x") == CachedEvent(PAYLOAD, 60)


async def test_a_shared_cache_that_fails_is_an_empty_one() -> None:
    cache, _, kept = shared()
    waiting = kept.prepare("1", "cache-x")
    await cache.questions.fail()
    assert waiting is not None
    assert waiting.result() is None
    assert kept.recall("1", "cache-x") is None


async def test_a_back_end_is_told_what_the_shared_cache_has() -> None:
    cache, _, kept = shared()
    found = kept.find("1", "cache-x")
    await cache.questions.answer(Cached(PAYLOAD, 5))
    event = await answer(found)
    assert event is not None
    assert (event.data, event.ttl) == ('{"a":1}', 5)


async def test_a_waiting_subscriber_gets_success_before_the_cached_event() -> None:
    cache = AskedCache()
    world = World(cache=cache)
    client = world.connect()
    client.ask_for("cache-x")
    assert client.take() == []
    await cache.questions.answer(Cached(PAYLOAD, 5))
    assert client.events() == ["pusher_internal:subscription_succeeded", "e"]
    second = world.connect()
    world.publish("cache-x", "newer")
    assert [frame.get("data") for frame in second.subscribe("cache-x")] == ["{}", "newer"]
    assert [key for key, _ in cache.log] == ["app:1:channel:cache-x:cache_miss"]


# Several nodes with one cache


class Pair:
    """Two nodes; the test answers what the first one asks of the cache, and moves the bus."""

    def __init__(self) -> None:
        self.bus, self.clock = Bus(), FakeClock()
        self.cache = AskedCache()
        self.here, self.there = (Member(self.bus, make_app(), clock=self.clock, cache=self.cache) for _ in range(2))
        for member in (self.here, self.there):
            member.start()
        self.settle()

    def settle(self) -> None:
        """Let everything arrive."""
        self.bus.deliver_all()
        self.clock.advance(0.01)
        self.bus.deliver_all()

    async def caught_up(self, channel: str) -> None:
        """Let what the bus had taken before arrive at the first node."""
        self.bus.deliver_all()
        self.here.adapter.confirm(channel_topic(APP_ID, channel))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_client_event_elsewhere_is_not_the_last_event() -> None:
    pair = Pair()
    client = pair.here.connect()
    client.ask_for("private-cache-x")
    await pair.cache.questions.answer(Cached(PAYLOAD, 5))
    sender = pair.there.connect()
    sender.ask_for("private-cache-x")
    await pair.cache.questions.answer(Cached(PAYLOAD, 5))
    sender.send("client-x", "hello", "private-cache-x")
    pair.settle()
    assert client.events() == ["pusher_internal:subscription_succeeded", "e", "client-x"]
    assert [frame["event"] for frame in pair.here.connect().subscribe("private-cache-x")][1:] == ["e"]


async def test_an_event_cached_before_it_arrives_comes_once() -> None:
    pair = Pair()
    pair.here.adapter.is_slow = True
    client = pair.here.connect()
    client.ask_for("cache-x")
    await pair.caught_up("cache-x")
    pair.there.publish("cache-x", "new")
    # In the cache it is already, and over the bus it is still on its way.
    await pair.cache.questions.answer(Cached(pair.cache.log[-1][1], 60))
    assert client.take() == []
    await pair.caught_up("cache-x")
    assert [frame.get("data") for frame in client.take()] == ["{}", "new"]
    pair.settle()
    assert client.take() == []


async def test_events_arrive_while_the_cache_is_asked() -> None:
    pair = Pair()
    client = pair.here.connect()
    client.ask_for("cache-x")
    pair.clock.advance(5)
    pair.there.publish("cache-x", "new")
    pair.settle()
    await pair.cache.questions.answer(Cached(PAYLOAD, 5))
    assert [frame.get("data") for frame in client.take()] == ["{}", "new"]
    client.leave()
    pair.clock.advance(5)
    assert channel_topic(APP_ID, "cache-x") not in pair.here.adapter.topics


async def test_who_does_not_wait_for_the_cache_leaves_nothing_behind() -> None:
    pair = Pair()
    client = pair.here.connect()
    client.ask_for("cache-x")
    client.leave()
    pair.clock.advance(5)
    await pair.cache.questions.fail()
    assert channel_topic(APP_ID, "cache-x") in pair.here.adapter.topics
    pair.clock.advance(5)
    assert channel_topic(APP_ID, "cache-x") not in pair.here.adapter.topics


@pytest.mark.parametrize(
    "value", [b"", b"\xff", b"nonsense", b"[]", b'{"event":"e"}', b'{"data":"\xff"}', b'{"data":1}']
)
def test_foreign_values_in_the_cache_are_no_events(value: bytes) -> None:
    clock = FakeClock()
    cache = MemoryCache(10, clock)
    kept = CachedEvents(cache, ttl=60, clock=clock)
    kept.keep("app", "cache-x", b'{"data":"x"}')
    (key,) = cache._entries
    cache.set(key, value, 60)
    assert kept.recall("app", "cache-x") is None
    assert kept.find("app", "cache-x") is None
