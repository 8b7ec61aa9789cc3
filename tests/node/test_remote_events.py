from __future__ import annotations

import pytest

from sockudo.apps.memory import MemoryAppManager
from sockudo.cluster.replication.replica import Change, ChangeKind
from sockudo.node.remote_events import RemoteEvents
from sockudo.websocket.frames import text_frame
from tests.fakes.node import APP_ID, World, data_of, make_app

EVENT = b'{"event":"e","channel":"%b","data":"d"}'


@pytest.fixture
def world() -> World:
    return World(
        make_app(enable_user_authentication=True, enable_watchlist_events=True, enable_subscription_count=True)
    )


@pytest.fixture
def remote(world: World) -> RemoteEvents:
    return RemoteEvents(world.node, world.cached_events)


def test_an_event_arrives_unchanged_but_not_at_the_excluded_socket(world: World, remote: RemoteEvents) -> None:
    first, second = world.connect(), world.connect()
    for client in (first, second):
        client.subscribe("presence-x", "1")
    remote.deliver(APP_ID, "presence-x", text_frame(EVENT % b"presence-x"), first.socket_id)
    assert first.take() == []
    assert second.take() == [{"event": "e", "channel": "presence-x", "data": "d"}]


def test_a_users_event_reaches_the_connections_that_are_signed_in(world: World, remote: RemoteEvents) -> None:
    signed_in, other = world.connect(), world.connect()
    signed_in.sign_in("1")
    remote.deliver(APP_ID, "#server-to-user-1", text_frame(EVENT % b"#server-to-user-1"), None)
    assert signed_in.events() == ["e"]
    assert other.take() == []


def test_an_event_that_nobody_here_wants_is_dropped(remote: RemoteEvents) -> None:
    remote.deliver(APP_ID, "news", text_frame(EVENT % b"news"), None)
    remote.deliver("none", "news", text_frame(EVENT % b"news"), "1.2")


@pytest.mark.parametrize("size", [0, 200, 70_000])
def test_a_cache_channels_event_is_kept_for_newcomers(world: World, remote: RemoteEvents, size: int) -> None:
    payload = b'{"event":"e","channel":"cache-x","data":"%b"}' % (b"d" * size)
    remote.keep(APP_ID, "cache-x", text_frame(payload))
    success, cached = world.connect().subscribe("cache-x")[:2]
    assert success["event"] == "pusher_internal:subscription_succeeded"
    assert cached == {"event": "e", "channel": "cache-x", "data": "d" * size}


def test_a_member_elsewhere_is_news_unless_also_here(world: World, remote: RemoteEvents) -> None:
    client = world.connect()
    client.subscribe("presence-x", "here")
    for user_id in ("here", "there"):
        remote.changed([Change(ChangeKind.MEMBER_ADDED, APP_ID, "presence-x", user_id, b'{"n":1}')])
        remote.changed([Change(ChangeKind.MEMBER_REMOVED, APP_ID, "presence-x", user_id)])
    added, removed = client.take()
    assert (added["event"], data_of(added)) == (
        "pusher_internal:member_added",
        {"user_id": "there", "user_info": {"n": 1}},
    )
    assert (removed["event"], data_of(removed)) == ("pusher_internal:member_removed", {"user_id": "there"})


def test_members_of_a_channel_without_local_subscribers_are_no_news(world: World, remote: RemoteEvents) -> None:
    client = world.connect()
    client.subscribe("presence-y", "1")
    remote.changed(
        [Change(ChangeKind.MEMBER_ADDED, APP_ID, "presence-x", "2"), Change(ChangeKind.COUNT, APP_ID, "presence-x")]
    )
    assert client.take() == []


def test_a_channel_without_members_hears_of_none(world: World, remote: RemoteEvents) -> None:
    client = world.connect()
    client.subscribe("news")
    world.clock.advance(2)
    client.take()
    remote.changed(
        [Change(ChangeKind.MEMBER_ADDED, APP_ID, "news", "2"), Change(ChangeKind.MEMBER_REMOVED, APP_ID, "news", "2")]
    )
    assert client.take() == []


def test_a_new_count_is_told_where_the_app_wants_it(world: World, remote: RemoteEvents) -> None:
    client = world.connect()
    client.subscribe("news")
    world.clock.advance(2)
    client.take()
    remote.changed([Change(ChangeKind.COUNT, APP_ID, "news")])
    assert client.events() == ["pusher_internal:subscription_count"]


def test_watchers_hear_of_users_elsewhere_unless_they_are_here_too(world: World, remote: RemoteEvents) -> None:
    watcher, here = world.connect(), world.connect()
    here.sign_in("here")
    watcher.sign_in("w", watchlist=["here", "there"])
    for user_id in ("here", "there"):
        remote.changed([Change(ChangeKind.ONLINE, APP_ID, user_id)])
        remote.changed([Change(ChangeKind.OFFLINE, APP_ID, user_id)])
    assert [data_of(frame)["events"] for frame in watcher.take()] == [
        [{"name": "online", "user_ids": ["there"]}],
        [{"name": "offline", "user_ids": ["there"]}],
    ]


def test_a_user_is_terminated_here_whoever_asked(world: World, remote: RemoteEvents) -> None:
    user, other = world.connect(), world.connect()
    user.sign_in("1")
    other.sign_in("2")
    remote.terminate(APP_ID, "1")
    remote.terminate("none", "2")
    assert (user.connection.is_open, other.connection.is_open) == (False, True)


def test_a_user_is_sent_to_reconnect_here_whoever_asked(world: World, remote: RemoteEvents) -> None:
    user, other = world.connect(), world.connect()
    user.sign_in("1")
    other.sign_in("2")
    remote.force_reconnect(APP_ID, "1")
    remote.force_reconnect("none", "2")
    assert user.wire.closed == [(4200, "Force reconnect requested by the app.")]
    assert other.connection.is_open


def test_an_app_that_was_changed_is_forgotten() -> None:
    forgotten: list[str] = []

    class Apps(MemoryAppManager):
        def forget(self, app_id: str) -> None:
            forgotten.append(app_id)

    world = World(manager=Apps([make_app()]))
    RemoteEvents(world.node, world.cached_events).app_changed(APP_ID)
    assert forgotten == [APP_ID]
