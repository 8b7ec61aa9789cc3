from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.node import Client, World, data_of, make_app
from tests.support.references import holders

APP = make_app(enable_user_authentication=True, enable_watchlist_events=True)


@pytest.fixture
def world() -> World:
    return World(APP)


def changes(client: Client) -> list[dict[str, Any]]:
    """Return what a client has heard of those it watches since the last call."""
    found: list[dict[str, Any]] = []
    for frame in client.take():
        if frame["event"] == "pusher_internal:watchlist_events":
            assert "channel" not in frame
            found += data_of(frame)["events"]
    return found


def online(*user_ids: str) -> dict[str, Any]:
    return {"name": "online", "user_ids": list(user_ids)}


def offline(*user_ids: str) -> dict[str, Any]:
    return {"name": "offline", "user_ids": list(user_ids)}


def watcher(world: World, *user_ids: str) -> Client:
    client = world.connect()
    client.sign_in("watcher", watchlist=list(user_ids))
    return client


def test_a_sign_in_is_answered_with_all_watched_users_states(world: World) -> None:
    world.connect().sign_in("2")
    states, success = world.connect().sign_in("1", watchlist=["2", "3", "2"])
    assert states["event"] == "pusher_internal:watchlist_events"
    assert data_of(states) == {"events": [online("2"), offline("3")]}
    assert success["event"] == "pusher:signin_success"


def test_watchers_are_told_when_a_user_comes_and_goes(world: World) -> None:
    client = watcher(world, "2", "3")
    friend = world.connect()
    assert changes(client) == []
    friend.sign_in("2")
    assert changes(client) == [online("2")]
    friend.leave()
    assert changes(client) == [offline("2")]


def test_only_a_users_first_and_last_connection_are_told(world: World) -> None:
    client = watcher(world, "2")
    first, second = world.connect(), world.connect()
    first.sign_in("2")
    second.sign_in("2")
    assert changes(client) == [online("2")]
    first.leave()
    assert changes(client) == []
    second.leave()
    assert changes(client) == [offline("2")]


def test_users_without_a_watchlist_are_told_nothing_but_are_seen(world: World) -> None:
    client = watcher(world, "2")
    friend = world.connect()
    assert [frame["event"] for frame in friend.sign_in("2")] == ["pusher:signin_success"]
    assert changes(client) == [online("2")]
    client.leave()
    assert friend.take() == []


def test_nobody_hears_of_users_that_were_not_asked_for(world: World) -> None:
    client = watcher(world, "2")
    world.connect().sign_in("4")
    assert changes(client) == []


def test_who_watches_themselves_hears_that_once(world: World) -> None:
    client = world.connect()
    (states, _success) = client.sign_in("1", watchlist=["1"])
    assert data_of(states) == {"events": [online("1")]}


def test_signing_in_again_with_another_list_replaces_the_first(world: World) -> None:
    client = watcher(world, "2")
    client.sign_in("watcher", watchlist=["3"])
    world.connect().sign_in("2")
    assert changes(client) == []
    world.connect().sign_in("3")
    assert changes(client) == [online("3")]


def test_signing_in_again_does_not_tell_the_watchers_again(world: World) -> None:
    client = watcher(world, "2")
    friend = world.connect()
    friend.sign_in("2")
    friend.sign_in("2")
    assert changes(client) == [online("2")]


def test_the_first_hundred_are_watched_and_the_rest_is_4302(world: World) -> None:
    client = world.connect()
    error, states, success = client.sign_in("1", watchlist=[str(number) for number in range(1000, 1101)])
    assert error["data"] == {
        "code": 4302,
        "message": "Watchlist limit exceeded. Only the first 100 user IDs are accepted.",
    }
    assert data_of(states) == {"events": [offline(*(str(number) for number in range(1000, 1100)))]}
    assert success["event"] == "pusher:signin_success"
    assert client.wire.closed == []
    world.connect().sign_in("1100")
    assert changes(client) == []
    world.connect().sign_in("1099")
    assert changes(client) == [online("1099")]


def test_a_list_of_exactly_a_hundred_is_fine(world: World) -> None:
    frames = world.connect().sign_in("1", watchlist=[str(number) for number in range(100)])
    assert [frame["event"] for frame in frames] == ["pusher_internal:watchlist_events", "pusher:signin_success"]


@pytest.mark.parametrize("count", [1, 101])
def test_an_app_without_watchlists_tells_and_watches_nothing(count: int) -> None:
    world = World(make_app(enable_user_authentication=True))
    client = world.connect()
    frames = client.sign_in("1", watchlist=["2"] * count)
    assert [frame["event"] for frame in frames] == ["pusher:signin_success"]
    friend = world.connect()
    friend.sign_in("2")
    friend.leave()
    assert client.take() == []
    client.leave()
    assert world.node.watchlist._watchers == {}


def test_users_of_another_app_are_somebody_else() -> None:
    other = make_app(id="other", key="other-key", enable_user_authentication=True, enable_watchlist_events=True)
    world = World(APP, other)
    client = watcher(world, "2")
    world.node.watchlist.came_online(other.id, "2")
    assert changes(client) == []


def test_nothing_is_kept_of_a_watcher_that_is_gone(world: World) -> None:
    client = watcher(world, "2", "3", "watcher")
    other = world.connect()
    other.sign_in("4", watchlist=["3"])
    client.leave()
    assert all(not isinstance(one, dict) or "wire" in one for one in holders(client.connection))
    world.connect().sign_in("3")
    assert changes(client) == []
    assert changes(other) == [online("3")]
    other.leave()
    assert world.node.watchlist._watchers == {}


def test_a_connection_that_never_signed_in_is_nobodys_watcher(world: World) -> None:
    client = world.connect()
    world.node.watchlist.watch(client.connection)
    world.node.watchlist.unwatch(client.connection)
    assert client.take() == []
