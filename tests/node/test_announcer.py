from __future__ import annotations

from tests.fakes.node import World, data_of, make_app


def test_a_new_member_is_told_to_others_not_to_itself() -> None:
    world = World()
    first, second = world.connect(), world.connect()
    first.subscribe("presence-x", "1")
    frames = second.subscribe("presence-x", "2", {"name": "B"})
    assert [frame["event"] for frame in frames] == ["pusher_internal:subscription_succeeded"]
    (added,) = first.take()
    assert (added["event"], added["channel"]) == ("pusher_internal:member_added", "presence-x")
    assert data_of(added) == {"user_id": "2", "user_info": {"name": "B"}}


def test_a_member_is_announced_on_first_and_last_connection() -> None:
    world = World()
    observer, first, second = (world.connect() for _ in range(3))
    observer.subscribe("presence-x", "observer")
    first.subscribe("presence-x", "1")
    assert observer.events() == ["pusher_internal:member_added"]
    second.subscribe("presence-x", "1")
    first.leave()
    assert observer.events() == []
    assert second.events() == []
    second.unsubscribe("presence-x")
    (removed,) = observer.take()
    assert (removed["event"], data_of(removed)) == ("pusher_internal:member_removed", {"user_id": "1"})


def test_a_users_further_connection_hears_nothing_of_itself() -> None:
    world = World()
    first, second = world.connect(), world.connect()
    first.subscribe("presence-x", "1")
    second.subscribe("presence-x", "1")
    assert first.events() == []


def test_a_channel_that_nobody_is_left_on_hears_nothing() -> None:
    world = World(make_app(enable_subscription_count=True))
    client = world.connect()
    client.subscribe("presence-x", "1")
    client.subscribe("news")
    world.clock.advance(5)
    client.take()
    client.leave()
    world.clock.advance(5)
    assert client.take() == []


def test_every_channel_and_all_watchers_hear_of_a_departure() -> None:
    world = World(
        make_app(enable_subscription_count=True, enable_user_authentication=True, enable_watchlist_events=True)
    )
    stays, goes = world.connect(), world.connect()
    goes.sign_in("2")
    stays.sign_in("1", watchlist=["2"])
    for client, user_id in ((stays, "1"), (goes, "2")):
        client.subscribe("news")
        client.subscribe("presence-x", user_id)
        client.subscribe("presence-y", user_id)
    world.clock.advance(5)
    stays.take()
    goes.leave()
    frames = stays.take()
    told = [(frame["event"].partition(":")[2], frame.get("channel"), data_of(frame)) for frame in frames]
    assert told == [
        ("subscription_count", "news", {"subscription_count": 1}),
        ("member_removed", "presence-x", {"user_id": "2"}),
        ("member_removed", "presence-y", {"user_id": "2"}),
        ("watchlist_events", None, {"events": [{"name": "offline", "user_ids": ["2"]}]}),
    ]
    world.clock.advance(5)
    assert stays.take() == []
