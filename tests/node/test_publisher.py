from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from sockudo.cluster.local import NoPeers
from sockudo.eventual import Future
from sockudo.hub.broadcast import Packed
from sockudo.pusher.channels import kind_of
from sockudo.pusher.members import Identity
from sockudo.pusher.triggers import Target, Trigger
from tests.fakes.clock import FakeClock
from tests.fakes.eventual import AskedCache, now
from tests.fakes.node import PUBLISHING, Client, World, data_of, make_app
from tests.fakes.wire import Frame, RecordingWire
from tests.support.properties import QUICK, json_values


@pytest.fixture
def world() -> World:
    return World()


def pair(world: World, channel: str = "private-x") -> tuple[Client, Client]:
    """Return a sender and another subscriber of a channel; members are called "sender" and "other"."""
    clients = world.connect(), world.connect()
    for client, user_id in zip(clients, ("sender", "other"), strict=True):
        client.subscribe(channel, user_id if channel.startswith("presence-") else None)
    clients[0].take()
    return clients


def refused(sender: Client, other: Client, frames: list[Frame]) -> dict[str, Any]:
    """Check that one event was refused with 4301, told to the sender only, and return the error frame."""
    (frame,) = frames
    assert frame["event"] == "pusher:error"
    assert frame["data"]["code"] == 4301
    assert other.take() == []
    assert sender.wire.closed == []
    assert sender.connection.is_open
    return frame


def test_an_event_reaches_all_subscribers_of_its_channel_only(world: World) -> None:
    first, second, stranger = (world.connect() for _ in range(3))
    first.subscribe("news")
    second.subscribe("news")
    stranger.subscribe("sport")
    world.publish("news", {"a": 1}, name="App\\Events\\Foo")
    expected = [{"event": "App\\Events\\Foo", "channel": "news", "data": '{"a":1}'}]
    assert (first.take(), second.take(), stranger.take()) == (expected, expected, [])


def test_an_event_reaches_each_of_its_channels_once(world: World) -> None:
    client = world.connect()
    client.subscribe("a")
    client.subscribe("b")
    world.publish("ignored", channels=["a", "b", "a", "c"])
    assert [frame["channel"] for frame in client.take()] == ["a", "b"]


def test_the_connection_that_caused_an_event_can_be_left_out(world: World) -> None:
    first, second = world.connect(), world.connect()
    first.subscribe("news")
    second.subscribe("news")
    world.publish("news", socket_id=first.socket_id)
    assert (first.events(), second.events()) == ([], ["event"])
    world.publish("news", socket_id="1.1")
    assert (first.events(), second.events()) == (["event"], ["event"])


class TickBus(NoPeers):
    """Sends messages at the end of the tick, as the adapters do, and notes that in a log."""

    is_surely_alone = False

    def __init__(self, clock: FakeClock, log: list[object]) -> None:
        super().__init__()
        self._clock = clock
        self._log = log

    def publish(self, app_id: str, name: str, frame: bytes, except_id: str | None, *, is_stored: bool = False) -> None:
        self._clock.call_soon(lambda: self._log.append("bus"))

    def publish_cached(self, app_id: str, name: str, frame: bytes, except_id: str | None) -> None:
        self._clock.call_soon(lambda: self._log.append("bus"))


@pytest.mark.parametrize("channel", ["news", "cache-news", "#server-to-user-u1", "private-news"])
def test_an_event_leaves_for_the_bus_before_the_sockets_here(channel: str) -> None:
    wire = RecordingWire()
    world = World(make_peers=lambda hub, clock: TickBus(clock, wire.log))
    sender, client = world.connect(), world.connect(wire)
    if channel.startswith("#"):
        world.hub.sign_in(client.connection, Identity("u1"))
    else:
        sender.subscribe(channel)
        client.subscribe(channel)
    wire.log.clear()
    if channel == "private-news":
        sender.send("client-event", "data", channel)
    else:
        world.publish(channel)
    client.take()
    assert wire.log == ["bus", "client-event" if channel == "private-news" else "event"]


def test_events_of_one_tick_leave_in_order_with_one_write(world: World) -> None:
    client = world.connect()
    client.subscribe("news")
    for number in range(5):
        world.publish("news", str(number))
    world.clock.advance(0)
    assert len(client.wire.writes) == 1
    assert [frame["data"] for frame in client.take()] == ["0", "1", "2", "3", "4"]


def test_an_event_of_an_empty_cache_channel_is_kept(world: World) -> None:
    world.publish("cache-x", "first")
    client = world.connect()
    assert [frame.get("data") for frame in client.subscribe("cache-x")] == ["{}", "first"]
    world.publish("cache-x", "second")
    assert [frame["data"] for frame in client.take()] == ["second"]
    kept = now(world.cached_events.find(world.app.id, "cache-x"))
    assert kept is not None
    assert kept.data == "second"


def test_other_channels_keep_nothing(world: World) -> None:
    world.publish("news")
    world.publish("private-my-cache-x")
    assert world.cache.size == 0


def test_a_users_event_reaches_all_connections_signed_in_as_them() -> None:
    world = World(make_app(enable_user_authentication=True))
    first, second, other = (world.connect() for _ in range(3))
    first.sign_in("7")
    second.sign_in("7")
    other.sign_in("8")
    world.publish("#server-to-user-7", "hi")
    expected = [{"event": "event", "channel": "#server-to-user-7", "data": "hi"}]
    assert (first.take(), second.take(), other.take()) == (expected, expected, [])
    world.publish("#server-to-user-7", socket_id=first.socket_id)
    assert (first.events(), second.events()) == ([], ["event"])
    world.publish("#server-to-user-nobody")


@pytest.mark.parametrize("channel", ["private-x", "private-cache-x"])
def test_a_client_event_reaches_the_others_on_a_private_channel(world: World, channel: str) -> None:
    sender, other = pair(world, channel)
    assert sender.send("client-x", {"on": True}, channel) == []
    (frame,) = [frame for frame in other.take() if frame["event"] == "client-x"]
    assert frame == {"event": "client-x", "channel": channel, "data": {"on": True}}


@pytest.mark.parametrize("channel", ["presence-x", "presence-cache-x"])
def test_a_presence_channels_client_event_carries_the_user_id(world: World, channel: str) -> None:
    sender, other = pair(world, channel)
    assert sender.send("client-x", "text", channel) == []
    (frame,) = [frame for frame in other.take() if frame["event"] == "client-x"]
    assert frame == {"event": "client-x", "channel": channel, "data": "text", "user_id": "sender"}


def test_the_user_id_is_that_of_the_events_channel(world: World) -> None:
    sender, other = pair(world, "presence-x")
    sender.subscribe("presence-y", "somebody-else")
    sender.send("client-x", "text", "presence-x")
    assert other.take()[-1]["user_id"] == "sender"


def test_a_client_event_is_never_kept(world: World) -> None:
    sender, _other = pair(world, "private-cache-x")
    sender.send("client-x", "text", "private-cache-x")
    assert world.cached_events.find(world.app.id, "private-cache-x") is None


def test_data_is_relayed_byte_for_byte(world: World) -> None:
    sender, other = pair(world)
    other.take()
    sender.send_bytes(b'{"event":"client-x","channel":"private-x","data":{ "b":1.50, "a":"\\u00e9" }}')
    world.clock.advance(0)
    assert other.wire.payloads == ['{"event":"client-x","channel":"private-x","data":{ "b":1.50, "a":"\\u00e9" }}']


@pytest.mark.parametrize("member", ["", ',"data":null', ',"data":""'])
@pytest.mark.parametrize("channel", ["private-x", "presence-x"])
def test_a_client_event_without_data_arrives_as_it_came(world: World, channel: str, member: str) -> None:
    sender, other = pair(world, channel)
    other.take()
    sender.send_bytes(f'{{"event":"client-x","channel":"{channel}"{member}}}'.encode())
    world.clock.advance(0)
    user = ',"user_id":"sender"' if channel == "presence-x" else ""
    assert other.wire.payloads == [f'{{"event":"client-x","channel":"{channel}"{member}{user}}}']


def test_half_a_character_in_a_client_event_is_relayed_unchanged(world: World) -> None:
    sender, other = pair(world)
    other.take()
    text = r'{"event":"client-x","channel":"private-x","data":{"a":"\ud83d","\ude00":["\ud83d\ude00"]}}'
    sender.send_bytes(text.encode())
    world.clock.advance(0)
    assert other.wire.payloads == [text]


def test_apps_take_client_events_only_when_switched_on() -> None:
    world = World(make_app(enable_client_messages=False))
    sender, other = pair(world)
    other.take()
    frame = refused(sender, other, sender.send("client-x", 1, "private-x"))
    assert "not enabled for this app (enable_client_messages of the app)" in frame["data"]["message"]


def test_every_refusal_of_a_client_event_names_its_channel() -> None:
    off, slow = make_app(enable_client_messages=False), make_app(max_client_events_per_second=1)
    for app, name, channel, data in (
        (off, "client-x", "private-x", 1),
        (slow, "client-x", "private-x", 1),
        (make_app(), "client-x", "private-unknown", 1),
        (make_app(), "client-x", "news", 1),
        (make_app(), "client-x", "private-encrypted-x", 1),
        (make_app(), "client-" + "x" * 50, "private-x", 1),
        (make_app(), "client-x", "private-x", "x" * 300),
        (make_app(), "pusher:x", "private-x", 1),
    ):
        client = World(app).connect()
        for joined in ("private-x", "news", "private-encrypted-x"):
            client.subscribe(joined)
        if app is slow:
            client.send(name, data, channel)
        (frame,) = client.send(name, data, channel)
        assert (frame["event"], frame.get("channel")) == ("pusher:error", channel)


def test_a_client_event_needs_a_channel(world: World) -> None:
    sender, other = pair(world)
    other.take()
    frame = refused(sender, other, sender.send("client-x", 1))
    assert "Channel required" in frame["data"]["message"]
    assert "channel" not in frame


@pytest.mark.parametrize("channel", ["news", "cache-x", "private-encrypted-x", "private-encrypted-cache-x"])
def test_a_client_event_needs_an_unencrypted_private_or_presence_channel(world: World, channel: str) -> None:
    sender, other = pair(world, channel)
    other.take()
    frame = refused(sender, other, sender.send("client-x", 1, channel))
    assert "only be sent to private or presence channels" in frame["data"]["message"]
    assert frame["channel"] == channel


def test_a_client_event_needs_a_subscription_of_the_sender(world: World) -> None:
    _first, other = pair(world)
    other.take()
    stranger = world.connect()
    frame = refused(stranger, other, stranger.send("client-x", 1, "private-x"))
    assert "not subscribed to this channel" in frame["data"]["message"]
    stranger.subscribe("private-y")
    refused(stranger, other, stranger.send("client-x", 1, "private-x"))


def test_a_sender_that_has_left_is_refused(world: World) -> None:
    sender, other = pair(world)
    sender.unsubscribe("private-x")
    other.take()
    refused(sender, other, sender.send("client-x", 1, "private-x"))


def test_a_client_events_name_may_reach_the_limit(world: World) -> None:
    sender, other = pair(world)
    longest = "client-" + "é" * (PUBLISHING.max_name_length - 7)
    assert sender.send(longest, 1, "private-x") == []
    assert longest in other.events()
    frame = refused(sender, other, sender.send(longest + "x", 1, "private-x"))
    assert "51 characters exceeds the limit of 50 (max_event_name_length" in frame["data"]["message"]


def test_client_event_data_may_reach_the_limit_in_bytes(world: World) -> None:
    sender, other = pair(world)

    def send(data: str) -> list[Frame]:
        body = {"event": "client-x", "channel": "private-x", "data": data}
        sender.send_bytes(json.dumps(body, ensure_ascii=False).encode())
        return sender.take()

    # Two quotes, and two bytes for each character.
    assert send("é" * 99) == []
    assert "client-x" in other.events()
    frame = refused(sender, other, send("é" * 99 + "x"))
    assert "201 bytes exceeds the limit of 200 bytes (max_event_payload_in_kb" in frame["data"]["message"]


def test_exactly_the_limit_of_client_events_passes_in_a_second() -> None:
    world = World(make_app(max_client_events_per_second=3))
    sender, other = pair(world)
    other.take()
    for _ in range(2):
        results = [sender.send("client-x", number, "private-x") for number in range(5)]
        assert [len(frames) for frames in results] == [0, 0, 0, 1, 1]
        assert [frame["data"] for frame in other.take()] == [0, 1, 2]
        data = results[-1][0]["data"]
        assert data["code"] == 4301
        assert "due to rate limit: 3 a second (max_client_events_per_second" in data["message"]
        world.clock.advance(1)


def test_the_rate_is_counted_for_each_connection() -> None:
    world = World(make_app(max_client_events_per_second=1))
    first, second = pair(world)
    assert first.send("client-x", 1, "private-x") == []
    assert [frame["event"] for frame in second.send("client-x", 1, "private-x")] == ["client-x"]
    assert first.events() == ["client-x"]


def test_a_long_channel_name_is_sent_back_shortened(world: World) -> None:
    (frame,) = world.connect().send("client-x", 1, "private-" + "x" * 1000)
    assert len(frame["channel"]) == 200


@QUICK
@given(json_values)
def test_any_data_arrives_as_it_was_sent(data: object) -> None:
    world = World(make_app(publishing=PUBLISHING.__class__(10, 50, 1_000_000, 5, 100)))
    sender, other = pair(world)
    other.take()
    assert sender.send("client-x", data, "private-x") == []
    world.publish("private-x", data)
    relayed, published = other.take()
    assert relayed["data"] == data
    assert (published["data"] if isinstance(data, str) else data_of(published)) == data


def event_on(*names: str, data: bytes = b'"x"') -> Trigger:
    return Trigger(b'"e"', data, tuple(Target(name, kind_of(name)) for name in names), None, frozenset())


def test_a_long_publish_yields_after_each_channel_in_order() -> None:
    world = World()
    client = world.connect()
    for name in ("a", "private-b", "cache-c"):
        client.subscribe(name)
    steps = world.publisher.publish_steps(world.app, [event_on("a", "private-b"), event_on("cache-c", "a")])
    for name in ("a", "private-b", "cache-c", "a"):
        next(steps)
        assert [frame["channel"] for frame in client.take()] == [name]
    with pytest.raises(StopIteration):
        next(steps)


async def test_a_long_publish_ends_when_the_shared_cache_has_it() -> None:
    cache = AskedCache()
    world = World(cache=cache)
    steps = world.publisher.publish_steps(world.app, [event_on("cache-a", "cache-b")])
    assert [next(steps), next(steps)] == [None, None]
    kept = next(steps)
    assert isinstance(kept, Future)
    await cache.writes.answer(None)
    assert not kept.done()
    await cache.writes.answer(None)
    assert kept.done()


def test_what_makes_a_publish_long_is_bytes_channels_and_subscribers() -> None:
    world = World()
    is_long = world.publisher.is_long
    many = [f"c{number}" for number in range(100)]
    assert not is_long(world.app, [event_on(*many)])
    assert not is_long(world.app, [event_on("a", data=b"x" * 102_400)] * 10)
    assert is_long(world.app, [event_on(*many, data=b"x" * 102_400)])
    assert is_long(world.app, [event_on(*many)] * 10)
    for _ in range(100):
        world.connect().subscribe("news")
    assert not is_long(world.app, [event_on("news", "a")] * 50)
    assert is_long(world.app, [event_on("news", "a")] * 70)


@pytest.mark.parametrize("name", ["news", "#server-to-user-7"])
def test_what_clients_get_compressed_makes_a_publish_long_sooner(name: str) -> None:
    world, wire = World(make_app(enable_user_authentication=True)), RecordingWire()

    def join(client: Client) -> None:
        client.subscribe(name) if name == "news" else client.sign_in("7")

    few = [event_on(name, data=b"x" * 10_000)] * 8
    join(world.connect())
    assert not world.publisher.is_long(world.app, few)
    wire.encoding = Packed(bytes)
    join(world.connect(wire))
    assert world.publisher.is_long(world.app, few)
