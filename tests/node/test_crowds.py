from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator

import pytest

from sockudo.node.node import shutting_down
from sockudo.pusher.members import Identity
from sockudo.timing.slice_time import BUDGET
from tests.clients.client import PusherClient
from tests.clients.raw import RawWebSocket
from tests.fakes.clock import TickingClock
from tests.fakes.node import World, make_app
from tests.servers.server import APP_ID, app
from tests.support.turns import TOLERATED_TURN, WatchedServer, watched_server
from tests.support.waiting import eventually

SUCCEEDED = "pusher_internal:subscription_succeeded"


def busy_world() -> World:
    return World(
        make_app(enable_user_authentication=True, enable_watchlist_events=True), clock=TickingClock(BUDGET / 4)
    )


def test_thousands_on_one_channel_leave_over_several_turns() -> None:
    world = World()
    clients = [world.connect() for _ in range(3000)]
    for client in clients:
        client.subscribe("news")
    for client in clients:
        client.leave()
    # 5 ms of the turn, of which each took 5 us.
    assert world.hub.channel(world.app.id, "news") is not None
    assert not world.node.slices.is_idle
    turns = 0
    while not world.node.slices.is_idle:
        world.clock.run_soon()
        turns += 1
    assert turns >= 1
    assert world.hub.channel(world.app.id, "news") is None
    assert world.hub.totals[world.app.id].unsubscriptions["public"] == 3000
    assert world.hub.app_ids() == []


def test_a_connection_that_leaves_in_slices_gets_nothing_any_more() -> None:
    world = busy_world()
    client = world.connect()
    for number in range(50):
        client.subscribe(f"c{number}")
    writes = len(client.wire.log)
    client.leave()
    assert not world.node.slices.is_idle
    assert world.node.view.connection_count(world.app.id) == 0
    for number in range(50):
        world.publish(f"c{number}")
    while not world.node.slices.is_idle:
        world.clock.run_soon()
    assert len(client.wire.log) == writes
    assert list(world.queries.channel_names(world.app.id)) == []


def test_a_user_who_reconnects_while_leaving_causes_no_news() -> None:
    world = busy_world()
    names = [f"presence-{number}" for number in range(40)]
    old, new, witness = (world.connect() for _ in range(3))
    old.sign_in("7")
    witness.sign_in("1", watchlist=["7"])
    for name in names:
        old.subscribe(name, "7")
        witness.subscribe(name, "1")
    witness.take()
    old.leave()
    new.ask_to_be("7")
    for name in reversed(names):
        new.ask_for(name, "7")
    while not world.node.slices.is_idle:
        world.clock.run_soon()
    told: dict[str, list[str]] = {}
    for frame in witness.take():
        told.setdefault(frame.get("channel", ""), []).append(frame["event"].removeprefix("pusher_internal:"))
    # Where the user had left already both are told, in order; elsewhere nothing is.
    assert all(events == ["member_removed", "member_added"] for events in told.values()), told
    assert "" not in told
    assert 0 < len(told) < len(names)
    assert all(set(world.queries.users(world.app.id, name)) == {"1", "7"} for name in names)


def test_terminating_and_looking_at_many_connections_go_in_slices() -> None:
    world = busy_world()
    clients = [world.connect() for _ in range(30)]
    for client in clients[:20]:
        client.sign_in("7")
    world.node.terminate_user(world.app, "7")
    assert 0 < sum(len(client.wire.closed) for client in clients) < 20
    while not world.node.slices.is_idle:
        world.clock.run_soon()
    assert [len(client.wire.closed) for client in clients] == [1] * 20 + [0] * 10
    world.node.disconnect_all()
    while not world.node.slices.is_idle:
        world.clock.run_soon()
    assert world.node.counters.disconnections == 30


HOOK = {"url": "http://127.0.0.1:9/hook", "event_types": ["channel_vacated", "member_removed", "subscription_count"]}


async def crowd_of(count: int, port: int, stack: contextlib.AsyncExitStack, *channels: str) -> None:
    """Open connections that are on the same channels, and stay until the stack is closed."""
    crowd = []
    for _ in range(count):
        # Opened at once: a socket that says nothing for ten seconds is closed.
        one = await stack.enter_async_context(RawWebSocket(port))
        crowd.append(one)
        await one.open()
        for name in channels:
            await one.send_event("pusher:subscribe", {"channel": name})
    for one in crowd:
        for _ in channels:
            assert (await one.event())["event"] == SUCCEEDED


async def longest_turn_until(server: WatchedServer, is_over: Callable[[], bool]) -> float:
    """Return the longest turn from the last call on until something holds, which is looked at in the server's loop."""

    async def look() -> bool:
        return is_over()

    await eventually(lambda: server.do(look), within=60)
    return server.meter.take()


@pytest.fixture
def resting_collector() -> Iterator[None]:
    """As in production, where collections do not walk over what is there for long."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("resting_collector")
@pytest.mark.parametrize("prefix", ["", "presence-"])
async def test_leaving_many_channels_holds_no_turn(prefix: str) -> None:
    async with watched_server(app(webhooks=[HOOK]), channel_limits={"max_channels_per_connection": 0}) as server:
        async with PusherClient(server.port) as client:
            for number in range(5000):
                member = {"user_id": "1"} if prefix else None
                await client.ask_for(f"{prefix}{number}", member)
            for _ in range(5000):
                await client.expect(SUCCEEDED)
            server.meter.take()
            client.drop()
        hub = server.running.assembly.node.hub
        assert await longest_turn_until(server, lambda: not hub.channels(APP_ID)) < TOLERATED_TURN


@pytest.mark.usefixtures("resting_collector")
@pytest.mark.parametrize("end", ["drop", "terminate", "shutdown"])
async def test_a_crowd_that_ends_at_once_holds_no_turn(end: str) -> None:
    async with watched_server(app(webhooks=[HOOK])) as server, contextlib.AsyncExitStack() as stack:
        node = server.running.assembly.node
        await crowd_of(1500, server.port, stack, *"abcdefgh")

        async def sign_in() -> None:
            for connection in tuple(node.hub.connections()):
                node.hub.sign_in(connection, Identity("7"))

        async def terminate() -> None:
            node.terminate_here(APP_ID, "7")

        async def send_away() -> None:
            node.fail_all(tuple(node.hub.connections()), shutting_down())

        await server.do(sign_in)
        server.meter.take()
        if end == "drop":
            await stack.aclose()
        else:
            await server.do(terminate if end == "terminate" else send_away)
        assert await longest_turn_until(server, lambda: not node.hub.channels(APP_ID)) < TOLERATED_TURN
        assert node.view.connection_count(APP_ID) == 0


@pytest.mark.usefixtures("resting_collector")
async def test_pinging_a_crowd_holds_no_turn() -> None:
    async with watched_server(activity_timeout=1) as server, contextlib.AsyncExitStack() as stack:
        await crowd_of(2000, server.port, stack)
        connections = list(server.running.assembly.node.hub.connections())
        longest = await longest_turn_until(server, lambda: all(one.pinged_at for one in connections))
        assert longest < TOLERATED_TURN
