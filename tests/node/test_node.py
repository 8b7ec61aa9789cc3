from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from sockudo.apps.origins import AllowedOrigins
from sockudo.node.memory import Memory
from sockudo.node.node import Node, shutting_down
from sockudo.pusher.errors import CloseConnection
from tests.fakes.node import Client, World, data_of, make_app
from tests.fakes.wire import RecordingWire, text_payloads
from tests.support.references import holders

Ending = Callable[[World, Client], None]


def refusal(world: World, **opening: str | None) -> CloseConnection:
    """Return how a client is refused, and check that nothing is left of it."""
    wire = RecordingWire()
    before = world.hub.connection_count(world.app.id)
    with pytest.raises(CloseConnection) as refused:
        world.node.connect(world.opening(**opening), wire)
    world.clock.advance(5)
    assert wire.log == []
    assert world.hub.connection_count(world.app.id) == before
    assert world.node.counters.refused == 1
    return refused.value


def test_the_greeting_is_connection_established_for_the_wire_to_send() -> None:
    world = World()
    wire = RecordingWire()
    connection = world.node.connect(world.opening(protocol="7"), wire)
    world.clock.advance(0)
    assert wire.log == []
    (payload,) = text_payloads(world.node.greeting(connection))
    frame = json.loads(payload)
    assert frame["event"] == "pusher:connection_established"
    assert isinstance(frame["data"], str)
    assert data_of(frame) == {"socket_id": connection.socket_id, "activity_timeout": 120}


def test_socket_ids_have_the_libraries_shape_and_never_repeat() -> None:
    world = World()
    socket_ids = {world.connect().socket_id for _ in range(500)}
    assert len(socket_ids) == 500
    assert all(re.fullmatch(r"\d{1,10}\.\d{1,10}", socket_id) for socket_id in socket_ids)


@pytest.mark.parametrize(("protocol", "version"), [(None, 7), ("4", 4), ("7", 7)])
def test_the_version_is_kept_on_the_connection(protocol: str | None, version: int) -> None:
    assert World().connect(protocol=protocol).connection.protocol_version == version


@pytest.mark.parametrize(("protocol", "code"), [("3", 4007), ("8", 4007), ("x", 4006), ("", 4006)])
def test_a_version_that_is_not_spoken_here_is_refused(protocol: str, code: int) -> None:
    assert refusal(World(), protocol=protocol).code == code


def test_an_unknown_key_is_refused_with_4001() -> None:
    refused = refusal(World(), key="unknown-key")
    assert (refused.code, refused.message) == (4001, "Application does not exist: no app has this key")


def test_a_disabled_app_is_refused_with_4003() -> None:
    refused = refusal(World(make_app(enabled=False)))
    assert (refused.code, refused.message) == (4003, "Application disabled")


@pytest.mark.parametrize("origin", [None, "https://b.io"])
def test_an_origin_that_is_not_allowed_is_refused_with_4009(origin: str | None) -> None:
    refused = refusal(World(make_app(origins=AllowedOrigins(["https://a.io"]))), origin=origin)
    assert (refused.code, refused.message) == (4009, "Origin not allowed (allowed_origins of the app)")


def test_an_allowed_origin_may_connect() -> None:
    world = World(make_app(origins=AllowedOrigins(["https://a.io"])))
    assert world.connect(origin="https://a.io").connection.is_open


def test_a_node_that_leaves_refuses_with_4200() -> None:
    world = World()
    world.node.is_draining = True
    refused = refusal(world)
    assert (refused.code, refused.message) == (4200, "Server shutting down")
    assert (shutting_down().code, shutting_down().message) == (refused.code, refused.message)


def test_a_node_short_of_memory_refuses_with_4100() -> None:
    world = World()
    world.memory = Memory(total=100, used=95)
    refused = refusal(world)
    assert refused.code == 4100
    assert refused.message == "Over capacity (http_api.accept_traffic.memory_threshold)"


def test_one_connection_more_than_the_quota_is_refused_with_4004() -> None:
    world = World(make_app(max_connections=2))
    first, _second = world.connect(), world.connect()
    refused = refusal(world)
    assert refused.code == 4004
    assert "over connection quota: 2 connections (max_connections of the app)" in refused.message
    first.leave()
    assert world.connect().connection.is_open


def test_a_quota_of_zero_is_no_quota() -> None:
    world = World(make_app(max_connections=0))
    assert all(world.connect().connection.is_open for _ in range(20))


def test_the_quota_of_one_app_is_not_that_of_another() -> None:
    world = World(make_app(max_connections=1), make_app(id="other", key="other-key", max_connections=1))
    assert world.connect().connection.is_open
    assert world.connect(key="other-key").connection.is_open


def test_of_several_reasons_the_first_in_order_is_told() -> None:
    # Each step takes away the reason that was told before.
    def world(enabled: bool, origins: bool, draining: bool, memory: bool) -> World:
        app = make_app(
            enabled=enabled, origins=None if origins else AllowedOrigins(["https://a.io"]), max_connections=1
        )
        made = World(app)
        if enabled and origins:
            made.connect()
        made.node.is_draining = draining
        made.memory = Memory(100, 95 if memory else 1)
        made.clock.advance(1)
        return made

    assert refusal(world(False, False, True, True), key="unknown", protocol="x").code == 4006
    assert refusal(world(False, False, True, True), key="unknown").code == 4001
    assert refusal(world(False, False, True, True)).code == 4003
    assert refusal(world(True, False, True, True)).code == 4009
    assert refusal(world(True, True, True, True)).code == 4200
    assert refusal(world(True, True, False, True)).code == 4100
    assert refusal(world(True, True, False, False)).code == 4004


def disconnect(world: World, client: Client) -> None:
    world.node.disconnect(client.connection)


def fail(world: World, client: Client) -> None:
    world.node.fail(client.connection, CloseConnection(4100, "text"))


def drop_slow(world: World, client: Client) -> None:
    world.node.drop_slow(client.connection)


def terminate(world: World, client: Client) -> None:
    world.node.terminate_user(world.app, "2")


def lose_patience(world: World, client: Client) -> None:
    for _ in range(3):
        world.clock.advance(50)
        for other in world.hub.connections():
            if other is not client.connection:
                other.last_activity = world.clock.monotonic()


@pytest.mark.parametrize("end", [disconnect, fail, drop_slow, terminate, lose_patience])
@pytest.mark.parametrize("again", [disconnect, fail, drop_slow, terminate])
def test_every_end_of_a_connection_takes_effect_exactly_once(end: Ending, again: Ending) -> None:
    world = World(
        make_app(enable_user_authentication=True, enable_watchlist_events=True, enable_subscription_count=True)
    )
    stays, goes = world.connect(), world.connect()
    goes.sign_in("2")
    stays.sign_in("1", watchlist=["2"])
    for client, user_id in ((stays, "1"), (goes, "2")):
        client.subscribe("news")
        client.subscribe("presence-x", user_id)
    world.clock.advance(5)
    stays.take()
    end(world, goes)
    again(world, goes)
    world.clock.advance(5)
    assert sorted(stays.events()) == [
        "pusher_internal:member_removed",
        "pusher_internal:subscription_count",
        "pusher_internal:watchlist_events",
    ]
    assert not goes.connection.is_open
    assert len(goes.wire.closed) == (0 if end is disconnect else 1)
    assert world.node.counters.disconnections == 1
    assert world.node.counters.slow_consumers == (1 if end is drop_slow else 0)
    assert list(world.hub.connections()) == [stays.connection]
    assert world.queries.users(world.app.id, "presence-x") == ["1"]
    assert not world.hub.is_online(world.app.id, "2")


def test_unsubscribing_from_everything_affects_channels_like_a_disconnect() -> None:
    world = World(make_app(enable_subscription_count=True))
    stays, goes = world.connect(), world.connect()
    for client, user_id in ((stays, "1"), (goes, "2")):
        client.subscribe("news")
        client.subscribe("presence-x", user_id)
    world.clock.advance(5)
    stays.take()
    for _ in range(2):
        goes.unsubscribe("news")
        goes.unsubscribe("presence-x")
    goes.leave()
    world.clock.advance(5)
    assert sorted(stays.events()) == ["pusher_internal:member_removed", "pusher_internal:subscription_count"]


def test_a_failure_is_told_after_queued_frames_before_the_close() -> None:
    world = World()
    client = world.connect()
    client.subscribe("news")
    world.publish("news")
    fail(world, client)
    assert client.wire.log[-3:] == ["event", "pusher:error", ("close", 4100)]
    assert client.wire.frames[-1] == {"event": "pusher:error", "data": {"code": 4100, "message": "text"}}
    assert client.wire.closed == [(4100, "text")]
    assert len(client.wire.writes) == 1


def test_nothing_is_sent_after_the_close() -> None:
    world = World()
    client = world.connect()
    client.subscribe("news")
    fail(world, client)
    client.wire.log.clear()
    world.publish("news")
    client.connection.send(b"never")
    world.clock.advance(500)
    assert client.wire.log == []


def test_nothing_is_kept_of_a_connection_that_was_ended() -> None:
    world = World()
    client = world.connect()
    client.subscribe("presence-x", "1")
    fail(world, client)
    world.clock.advance(0)
    held = holders(client.connection)
    assert [one for one in held if one is not client and one is not vars(client)] == []


def test_a_slow_consumer_is_ended_with_4100() -> None:
    world = World()
    client = world.connect()
    drop_slow(world, client)
    ((code, reason),) = client.wire.closed
    assert (code, "(websocket.max_buffer_kb)" in reason) == (4100, True)
    assert world.node.counters.slow_consumers == 1


class FullWire(RecordingWire):
    """Reports once, while it is being written, that its buffer is full, as a transport does."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node
        self.client: Client | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        client, self.client = self.client, None
        if client is not None:
            self.node.drop_slow(client.connection)


def test_an_error_frame_that_overflows_the_buffer_closes_once() -> None:
    world = World()
    wire = FullWire(world.node)
    client = world.connect(wire)
    wire.client = client
    fail(world, client)
    assert [entry for entry in wire.log if isinstance(entry, tuple)] == [("close", 4100)]
    assert isinstance(wire.log[-1], tuple)
    assert world.node.counters.disconnections == 1


def test_a_buffer_overflow_during_a_flush_ends_only_that_connection() -> None:
    world = World()
    wire = FullWire(world.node)
    slow, other = world.connect(wire), world.connect()
    for client, user_id in ((slow, "1"), (other, "2")):
        client.subscribe("presence-x", user_id)
    other.take()
    wire.client = slow
    world.publish("presence-x")
    assert other.events() == ["event", "pusher_internal:member_removed"]
    assert wire.log[-1] == ("close", 4100)


def test_terminating_ends_signed_in_and_presence_connections_with_4009() -> None:
    world = World(make_app(enable_user_authentication=True))
    signed_in, member, both, other, nobody = (world.connect() for _ in range(5))
    signed_in.sign_in("7")
    member.subscribe("presence-x", "7")
    both.sign_in("7")
    both.subscribe("presence-x", "7")
    both.subscribe("presence-y", "7")
    other.sign_in("8")
    other.subscribe("presence-x", "8")
    nobody.subscribe("news")
    for client in (signed_in, member, both, other, nobody):
        client.take()
    world.node.terminate_user(world.app, "7")
    for client in (signed_in, member, both):
        assert client.wire.closed == [(4009, "User terminated by app.")]
        assert client.take()[-1]["data"] == {"code": 4009, "message": "User terminated by app."}
    assert [client.wire.closed for client in (other, nobody)] == [[], []]
    assert other.events() == ["pusher_internal:member_removed"]


def test_terminating_reaches_no_other_app_and_may_find_nobody() -> None:
    other_app = make_app(id="other", key="other-key", enable_user_authentication=True)
    world = World(make_app(enable_user_authentication=True), other_app)
    client = world.connect()
    client.sign_in("7")
    client.subscribe("presence-x", "7")
    world.node.terminate_user(other_app, "7")
    world.node.terminate_user(world.app, "8")
    assert client.wire.closed == []


def test_a_connections_own_channel_is_only_that_of_its_user() -> None:
    world = World(make_app(enable_user_authentication=True))
    client = world.connect()
    assert not world.node.is_user_channel_of(client.connection, "#server-to-user-7")
    client.sign_in("7")
    assert world.node.is_user_channel_of(client.connection, "#server-to-user-7")
    assert not world.node.is_user_channel_of(client.connection, "#server-to-user-77")
    assert not world.node.is_user_channel_of(client.connection, "#server-to-user-")


def test_totals_are_counted() -> None:
    world = World()
    for _ in range(3):
        world.connect().leave()
    world.connect()
    counters = world.node.counters
    assert (counters.connections, counters.disconnections, counters.refused) == (4, 3, 0)
