from __future__ import annotations

import pytest

from sockudo.pusher.channels import kind_of
from tests.fakes.eventual import now
from tests.fakes.node import World

EVERYTHING = frozenset({"occupied", "user_count", "subscription_count", "cache"})


def attributes(world: World, name: str, *info: str) -> dict[str, object]:
    return now(world.queries.attributes(world.app.id, name, kind_of(name), frozenset(info) or EVERYTHING))


def test_an_empty_channel_is_not_occupied_and_counts_zero() -> None:
    world = World()
    assert attributes(world, "news") == {"occupied": False, "subscription_count": 0}
    assert attributes(world, "presence-x") == {"occupied": False, "subscription_count": 0, "user_count": 0}
    assert not world.queries.is_occupied(world.app.id, "news")


def test_users_are_counted_once_and_subscriptions_each() -> None:
    world = World()
    for user_id in ("1", "1", "2"):
        world.connect().subscribe("presence-x", user_id)
    assert attributes(world, "presence-x") == {"occupied": True, "subscription_count": 3, "user_count": 2}
    assert world.queries.users(world.app.id, "presence-x") == ["1", "2"]
    assert world.queries.is_occupied(world.app.id, "presence-x")


def test_a_channel_without_members_has_subscriptions_only() -> None:
    world = World()
    world.connect().subscribe("news")
    assert attributes(world, "news") == {"occupied": True, "subscription_count": 1}
    assert world.queries.users(world.app.id, "news") == []
    assert world.queries.users(world.app.id, "presence-nobody") == []


def test_only_what_is_asked_is_told() -> None:
    world = World()
    assert attributes(world, "presence-x", "user_count") == {"user_count": 0}
    assert attributes(world, "news", "occupied") == {"occupied": False}
    assert attributes(world, "news", "user_count") == {}
    assert attributes(world, "news", "cache") == {}


@pytest.mark.parametrize("name", ["cache-x", "private-cache-x", "private-encrypted-cache-x", "presence-cache-x"])
def test_a_cache_channel_tells_its_last_event_or_null(name: str) -> None:
    world = World()
    assert attributes(world, name, "cache") == {"cache": None}
    world.publish(name, {"a": 1})
    world.clock.advance(600)
    assert attributes(world, name, "cache") == {"cache": {"data": '{"a":1}', "ttl": 3000}}


def test_occupied_channels_are_found_by_prefix() -> None:
    world = World()
    client = world.connect()
    for name in ("news", "new", "presence-x", "private-x"):
        client.subscribe(name, **({"user_id": "1"} if name == "presence-x" else {}))
    client.unsubscribe("new")

    def found(prefix: str) -> list[str]:
        return [name for name in world.queries.channel_names(world.app.id) if name.startswith(prefix)]

    assert found("") == ["news", "presence-x", "private-x"]
    assert found("new") == ["news"]
    assert found("presence-") == ["presence-x"]
    assert found("x") == []
    assert list(world.queries.channel_names("unknown")) == []
