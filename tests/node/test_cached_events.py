from __future__ import annotations

import json

from hypothesis import given

from sockudo.cache.memory import MemoryCache
from sockudo.cache.none import NoCache
from sockudo.node.cached_events import CachedEvents
from sockudo.pusher.events import channel_event, json_text
from tests.support.clock import FakeClock
from tests.support.properties import QUICK, texts

PAYLOAD = channel_event(b'"e"', "cache-x", b'"{\\"a\\":1}"')


def test_the_last_event_is_found_with_its_data_and_the_time_it_has_left() -> None:
    clock = FakeClock()
    kept = CachedEvents(MemoryCache(10, clock), ttl=60)
    kept.keep("1", "cache-x", b"before")
    kept.keep("1", "cache-x", PAYLOAD)
    clock.advance(20)
    found = kept.find("1", "cache-x")
    assert found is not None
    assert (found.payload, found.data, found.ttl) == (PAYLOAD, '{"a":1}', 40)


def test_an_event_is_kept_for_its_time_and_no_longer() -> None:
    clock = FakeClock()
    kept = CachedEvents(MemoryCache(10, clock), ttl=60)
    kept.keep("1", "cache-x", PAYLOAD)
    clock.advance(60)
    assert kept.find("1", "cache-x") is None


def test_channels_and_apps_are_told_apart() -> None:
    kept = CachedEvents(MemoryCache(10, FakeClock()), ttl=60)
    kept.keep("1", "cache-x", PAYLOAD)
    assert kept.find("1", "cache-y") is None
    assert kept.find("2", "cache-x") is None


def test_the_key_is_the_one_of_the_original_server() -> None:
    cache = MemoryCache(10, FakeClock())
    CachedEvents(cache, ttl=60).keep("1", "cache-x", PAYLOAD)
    assert cache.get("app:1:channel:cache-x:cache_miss") is not None


def test_without_a_cache_nothing_is_kept() -> None:
    kept = CachedEvents(NoCache(), ttl=60)
    kept.keep("1", "cache-x", PAYLOAD)
    assert kept.find("1", "cache-x") is None


@QUICK
@given(texts, texts)
def test_any_data_comes_back(name: str, data: str) -> None:
    kept = CachedEvents(MemoryCache(10, FakeClock()), ttl=60)
    kept.keep("1", "cache-x", channel_event(json_text(name), "cache-x", json_text(data)))
    found = kept.find("1", "cache-x")
    assert found is not None
    assert found.data == data
    assert json.loads(found.payload) == {"event": name, "channel": "cache-x", "data": data}
