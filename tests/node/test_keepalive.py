from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.hub.connection import Connection
from sockudo.node.limits import NodeLimits
from tests.clients.signing import sign
from tests.fakes.clock import FakeClock
from tests.fakes.node import KEY, SECRET, Client, World, make_app
from tests.fakes.wire import RecordingWire
from tests.support.properties import QUICK
from tests.support.references import holders

USERS = make_app(enable_user_authentication=True, enable_watchlist_events=True)
ERROR_4201 = {"event": "pusher:error", "data": {"code": 4201, "message": "Pong reply not received in time"}}


def test_a_silent_client_is_pinged_after_the_activity_timeout() -> None:
    world = World()
    client = world.connect()
    world.clock.advance(119)
    assert client.wire.pings == 0
    world.clock.advance(1)
    assert client.wire.pings == 1
    assert client.take() == []


def test_a_silent_client_is_closed_with_4201_after_30_seconds() -> None:
    world = World()
    client = world.connect()
    world.clock.advance(120 + 29)
    assert client.wire.closed == []
    world.clock.advance(1)
    assert client.wire.pings == 1
    assert client.wire.closed == [(4201, "Pong reply not received in time")]
    assert client.take() == [ERROR_4201]
    assert client.wire.log[-2:] == ["pusher:error", ("close", 4201)]
    assert world.hub.connection_count(world.app.id) == 0


def test_anything_inbound_counts_as_the_answer_and_as_activity() -> None:
    for payload in (b'{"event":"pusher:pong"}', b'{"event":"pusher:ping"}', b"not even JSON"):
        world = World()
        client = world.connect()
        world.clock.advance(130)
        client.send_bytes(payload)
        world.clock.advance(119)
        assert (client.wire.pings, client.wire.closed) == (1, [])
        world.clock.advance(2)
        assert client.wire.pings == 2
        world.clock.advance(30)
        assert [code for code, _ in client.wire.closed] == [4201]


def test_an_answer_in_the_second_of_the_ping_counts() -> None:
    world = World()
    client = world.connect()
    world.clock.advance(120)
    client.send_bytes(b'{"event":"pusher:pong"}')
    world.clock.advance(119)
    assert (client.wire.pings, client.wire.closed) == (1, [])


def test_activity_in_the_last_second_of_waiting_is_in_time() -> None:
    world = World()
    client = world.connect()
    world.clock.advance(149)
    client.send_bytes(b'{"event":"client-x"}')
    world.clock.advance(100)
    assert client.wire.closed == []


def test_a_busy_client_is_never_pinged() -> None:
    world = World()
    client = world.connect()
    for _ in range(20):
        world.clock.advance(100)
        client.send("pusher:ping")
    assert client.wire.pings == 0


@pytest.mark.parametrize("timeout", [1, 2, 7, 120])
@pytest.mark.parametrize("phase", [0.0, 0.4, 0.999])
@pytest.mark.parametrize("late", [0.0, 0.04, 0.3, 5.0])
def test_no_ping_comes_within_the_timeout_of_a_byte(timeout: int, phase: float, late: float) -> None:
    """`late` is by how much the tick after the byte is late, and the byte comes just before it."""
    world = World(limits=NodeLimits(activity_timeout=timeout), clock=FakeClock(monotonic=1000.0 + phase))
    client = world.connect()
    world.clock.advance(0.5)
    client.connection.last_activity = world.node.keepalive.heard_by
    heard = world.clock.monotonic() + 0.499 + late
    world.clock.set_monotonic(heard)
    pinged = 0.0
    while not client.wire.pings:
        world.clock.advance(0.01)
        pinged = world.clock.monotonic()
    assert timeout <= pinged - heard <= timeout + 2.1


def test_the_times_are_settings() -> None:
    world = World(limits=NodeLimits(activity_timeout=7, pong_timeout=3))
    client = world.connect()
    world.clock.advance(7)
    assert client.wire.pings == 1
    world.clock.advance(2)
    assert client.wire.closed == []
    world.clock.advance(1)
    assert len(client.wire.closed) == 1


def test_a_connection_that_stays_unauthorised_is_closed_with_4009() -> None:
    world = World(USERS, limits=NodeLimits(user_authentication_timeout=60))
    client = world.connect()
    client.subscribe("news")
    world.clock.advance(59)
    assert client.wire.closed == []
    world.clock.advance(1)
    assert [code for code, _ in client.wire.closed] == [4009]
    (frame,) = client.take()
    assert frame["data"]["code"] == 4009
    assert "not authorized within timeout" in frame["data"]["message"]
    assert "(user_authentication_timeout)" in frame["data"]["message"]


def test_staying_active_does_not_help_the_unauthorised() -> None:
    world = World(USERS, limits=NodeLimits(user_authentication_timeout=300))
    client = world.connect()
    for _ in range(4):
        world.clock.advance(75)
        client.send("pusher:ping")
    assert [code for code, _ in client.wire.closed] == [4009]


def test_an_app_without_user_authentication_has_no_such_limit() -> None:
    world = World(limits=NodeLimits(activity_timeout=10_000, user_authentication_timeout=60))
    client = world.connect()
    world.clock.advance(3600)
    assert client.wire.closed == []


def test_a_timeout_of_zero_is_no_limit() -> None:
    world = World(USERS, limits=NodeLimits(activity_timeout=10_000, user_authentication_timeout=0))
    client = world.connect()
    world.clock.advance(7200)
    assert client.wire.closed == []


def test_signing_in_and_private_and_presence_subscriptions_authorise() -> None:
    world = World(USERS, limits=NodeLimits(activity_timeout=10_000, user_authentication_timeout=60))
    signed_in, private, presence, own_channel = (world.connect() for _ in range(4))
    signed_in.sign_in("1")
    private.subscribe("private-x")
    presence.subscribe("presence-x", "1")
    own_channel.subscribe("#server-to-user-1")
    world.clock.advance(61)
    clients = (signed_in, private, presence, own_channel)
    assert [len(client.wire.closed) for client in clients] == [0, 0, 0, 1]


def test_a_refused_subscription_or_sign_in_does_not_authorise() -> None:
    world = World(USERS, limits=NodeLimits(user_authentication_timeout=60))
    client = world.connect()
    client.subscribe("private-x", auth=f"{KEY}:{sign('wrong', SECRET)}")
    world.clock.advance(60)
    assert [code for code, _ in client.wire.closed] == [4009]


def test_many_connections_share_one_timer() -> None:
    world = World()
    clients = [world.connect() for _ in range(300)]
    assert world.clock.timers == 1
    world.clock.advance(60)
    clients[0].leave()
    assert world.clock.timers == 1
    world.clock.advance(60)
    assert [client.wire.pings for client in clients] == [0] + [1] * 299
    world.clock.advance(30)
    assert sum(len(client.wire.closed) for client in clients) == 299
    assert world.clock.timers == 1


def test_stopping_leaves_no_timer() -> None:
    world = World()
    client = world.connect()
    world.node.keepalive.stop()
    world.node.keepalive.stop()
    assert world.clock.timers == 0
    world.clock.advance(1000)
    assert client.wire.pings == 0


def test_a_machine_that_slept_asks_before_it_closes() -> None:
    world = World()
    client = world.connect()
    world.clock.set_monotonic(world.clock.monotonic() + 100_000)
    world.clock.advance(0)
    assert (client.wire.pings, client.wire.closed) == (1, [])


class FullWire(RecordingWire):
    """Overflows with the ping."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.client: Client | None = None

    def ping(self) -> None:
        super().ping()
        assert self.client is not None
        self.world.node.drop_slow(self.client.connection)


def test_a_connection_that_its_ping_ends_is_ended_once() -> None:
    world = World()
    wire = FullWire(world)
    client = wire.client = world.connect(wire)
    world.clock.advance(150)
    assert wire.log == ["ping", "pusher:error", ("close", 4100)]
    assert _held(client.connection) == ["Client"]


def test_a_connection_that_is_gone_is_left_alone_and_forgotten() -> None:
    world = World(USERS)
    client = world.connect()
    client.sign_in("1", watchlist=["1", "2"])
    client.subscribe("presence-x", "1")
    client.subscribe("news")
    client.leave()
    assert _held(client.connection) == ["Client"]
    world.clock.advance(1000)
    assert (client.wire.pings, client.wire.closed) == (0, [])


def _held(connection: Connection) -> list[str]:
    """Return what holds a connection, by name: attributes of the test's client are a dict or the client itself."""
    return ["Client" if _is_client(one) else repr(one) for one in holders(connection)]


def _is_client(one: object) -> bool:
    return type(one).__name__ == "Client" or (isinstance(one, dict) and "wire" in one)


@QUICK
@given(st.lists(st.tuples(st.integers(1, 200), st.booleans()), max_size=12))
def test_a_client_is_closed_exactly_when_its_time_is_over(steps: list[tuple[int, bool]]) -> None:
    world = World()
    client = world.connect()
    silent_since = now = 0
    for seconds, speaks in steps:
        world.clock.advance(seconds)
        now += seconds
        assert bool(client.wire.closed) == (now - silent_since >= 150)
        if client.wire.closed:
            break
        if speaks:
            client.send("pusher:pong")
            silent_since = now
