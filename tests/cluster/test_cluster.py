from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import Delta, Goodbye, Heartbeat, SnapshotPart, Sync, Terminate, encode
from sockudo.cluster.messages.topics import EVERYONE, channel_topic, node_topic
from tests.fakes.clock import FakeClock
from tests.fakes.node import APP_ID, World, make_app
from tests.servers.cluster import A_WHILE, Bus, Group, Member, Parcel, message
from tests.support.properties import THOROUGH

OTHER = "00000000000000ff"


def picture(world: World) -> object:
    """Return what a node knows of the whole cluster."""
    view = world.node.view
    return (
        view.connection_count(APP_ID),
        {name: view.subscription_count(APP_ID, name) for name in view.channel_names(APP_ID)},
        {name: set(view.members(APP_ID, name)) for name in view.channel_names(APP_ID)},
    )


def assert_agreed(group: Group) -> None:
    first, *others = (picture(member) for member in group.members)
    assert all(other == first for other in others)


def test_nodes_find_each_other_and_are_not_alone_any_more() -> None:
    group = Group(1)
    assert group.members[0].cluster.is_alone
    group.add()
    group.add()
    group.settle()
    for member in group.members:
        others = {other.node_id for other in group.members if other is not member}
        assert {peer.node_id for peer in member.cluster.nodes.peers()} == others
        assert all(peer.is_synced for peer in member.cluster.nodes.peers())
        assert not member.cluster.is_alone


async def test_a_node_can_be_answered_before_it_hears_anybody() -> None:
    member = Member(Bus(), make_app())
    member.adapter.is_slow = True
    starting = asyncio.ensure_future(member.cluster.start(member.handler))
    await asyncio.sleep(0)
    # Whoever is heard is asked at once for what he has. On another topic the answer would be lost, and waited for.
    own = node_topic(member.node_id)
    assert member.adapter.topics == {own}
    member.adapter.confirm(own)
    # The future calls back in the next tick.
    await asyncio.sleep(0)
    member.adapter.confirm(EVERYONE)
    await starting
    await member.cluster.aclose()


def test_a_new_node_learns_what_was_there_before() -> None:
    group = Group(2)
    group.members[0].connect().subscribe("presence-x", "1", {"name": "A"})
    group.members[1].connect().subscribe("news")
    group.add()
    group.settle()
    assert_agreed(group)
    channel = group.members[2].replica.channel(APP_ID, "presence-x")
    assert channel is not None
    assert channel.members["1"][group.members[0].node_id] == b'{"name": "A"}'


def test_a_lost_delta_is_noticed_and_a_snapshot_is_fetched() -> None:
    group = Group(2)
    first, second = group.members
    first.connect().subscribe("news")
    group.clock.advance(0.01)
    assert group.bus.lose(lambda parcel: parcel.kind == envelope.DELTA)
    first.connect().subscribe("other")
    group.wait(A_WHILE)
    assert second.cluster.counters.snapshots_received == 2
    assert_agreed(group)


def test_a_lost_last_delta_is_noticed_by_the_heartbeat() -> None:
    group = Group(2)
    first, second = group.members
    first.connect().subscribe("news")
    group.clock.advance(0.01)
    group.bus.lose(lambda parcel: parcel.kind == envelope.DELTA)
    group.settle()
    assert not second.node.view.is_occupied(APP_ID, "news")
    group.wait(A_WHILE)
    assert second.node.view.is_occupied(APP_ID, "news")


def test_a_snapshot_with_a_lost_part_is_requested_again() -> None:
    group = Group(1)
    for number in range(3000):
        group.members[0].connect().ask_for(f"{number:04}" + "x" * 80)
    second = group.add()
    parts: list[Parcel] = []
    while not parts:
        group.bus.deliver()
        snapshots = [parcel for parcel in group.bus.parcels if parcel.kind == envelope.SNAPSHOT]
        parts = [parcel for parcel in snapshots if parcel.receiver is second.adapter]
    assert len(parts) > 1
    group.bus.lose(lambda parcel: parcel is parts[0])
    group.settle()
    assert second.node.view.connection_count(APP_ID) == 0
    group.wait(3)
    assert_agreed(group)


def test_what_happens_around_a_snapshot_is_counted_once() -> None:
    group = Group(1)
    first = group.members[0]
    second = group.add()
    while envelope.SNAPSHOT not in group.bus.kinds():
        group.bus.deliver()
    leaver = first.connect()
    leaver.subscribe("presence-x", "1")
    group.clock.advance(0.01)
    # The two topics have no order between them: the delta overtakes the snapshot.
    for parcel in [parcel for parcel in group.bus.parcels if parcel.kind == envelope.DELTA]:
        group.bus.deliver(parcel)
    assert not second.node.view.is_occupied(APP_ID, "presence-x")
    leaver.subscribe("presence-y", "1")
    leaver.unsubscribe("presence-x")
    group.settle()
    assert_agreed(group)


def test_a_message_that_comes_twice_or_late_changes_nothing() -> None:
    group = Group(2)
    first, second = group.members
    client = first.connect()
    client.subscribe("presence-x", "1")
    group.settle()
    second.hear(node_topic(first.node_id), message(envelope.SYNC, second.node_id, encode(Sync())))
    first.hear(node_topic(first.node_id), message(envelope.SYNC, second.node_id, encode(Sync())))
    old = first.adapter.said(envelope.SNAPSHOT)[-1]
    delta = first.adapter.said(envelope.DELTA)[-1]
    client.unsubscribe("presence-x")
    group.settle()
    before = picture(second)
    for data in (old, delta, delta, old):
        second.hear(EVERYONE, data)
    assert picture(second) == before
    assert_agreed(group)


def test_own_messages_that_come_back_are_dropped() -> None:
    group = Group(1)
    member = group.members[0]
    client = member.connect()
    client.subscribe("news")
    member.publish("news")
    client.take()
    member.clock.advance(1)
    for topic, data in [*member.adapter.published, (EVERYONE, message(envelope.EVENT, member.node_id, b"\0x"))]:
        member.hear(topic, data)
    assert client.take() == []
    assert member.cluster.is_alone
    assert member.node.view.connection_count(APP_ID) == 1


@THOROUGH
@given(st.lists(st.tuples(st.integers(0, 20) | st.integers(0, 255), st.binary(max_size=40)), max_size=10))
def test_no_bytes_on_any_topic_raise_or_create_a_node(messages: list[tuple[int, bytes]]) -> None:
    member = Member(Bus(), clock=FakeClock())
    member.start()
    client = member.connect()
    client.subscribe("presence-x", "1")
    before = picture(member)
    for kind, rest in messages:
        for data in (bytes([kind]) + rest, message(kind, OTHER, rest)):
            if kind != envelope.EVENT and envelope.parse(data) is None:
                for topic in (EVERYONE, node_topic(member.node_id), "", "c:"):
                    member.hear(topic, data)
    assert picture(member) == before
    assert member.cluster.is_alone
    assert client.take() == []


@pytest.mark.parametrize("kind", range(12))
def test_a_message_of_a_header_or_less_is_dropped(kind: int) -> None:
    member = Member(Bus())
    member.start()
    member.connect().subscribe("news")
    for data in (b"", bytes([kind]), message(kind, OTHER)):
        member.hear(channel_topic(APP_ID, "news"), data)
    assert member.cluster.counters.misunderstood == 3
    assert member.cluster.is_alone


def test_a_silent_node_is_purged_and_each_effect_told_once() -> None:
    group = Group(3)
    first, second, third = group.members
    watching = [first.connect(), second.connect()]
    for number, client in enumerate(watching):
        client.subscribe("presence-x", f"w{number}")
    third.connect().subscribe("presence-x", "gone")
    third.connect().subscribe("presence-x", "w0")
    group.settle()
    for client in watching:
        client.take()
    third.die()
    group.wait(25)
    assert [client.take() for client in watching] == [[], []]
    group.wait(10)
    for client in watching:
        assert [(frame["event"], frame["data"]) for frame in client.take()] == [
            ("pusher_internal:member_removed", '{"user_id":"gone"}')
        ]
    group.members.remove(third)
    assert_agreed(group)
    assert [member.cluster.counters.nodes_purged for member in group.members] == [1, 1]


def test_a_node_that_says_goodbye_is_gone_for_good() -> None:
    group = Group(2)
    first, second = group.members
    second.connect().subscribe("news")
    group.settle()
    late = second.adapter.said(envelope.DELTA)[-1]
    second.stop()
    group.bus.deliver_all()
    assert first.cluster.is_alone
    assert not first.node.view.is_occupied(APP_ID, "news")
    # Said before on another topic, and only now arrived.
    part = SnapshotPart(9, 0, True, {})
    for data in (late, message(envelope.SNAPSHOT, second.node_id, encode(part))):
        first.hear(node_topic(first.node_id), data)
    assert first.cluster.is_alone
    first.hear(EVERYONE, message(envelope.GOODBYE, second.node_id, encode(Goodbye())))
    assert first.cluster.counters.nodes_purged == 1


def test_a_node_that_was_stopped_itself_purges_nobody() -> None:
    bus, clock, own = Bus(), FakeClock(), FakeClock()
    first, second = Member(bus, clock=clock), Member(bus, clock=own)
    first.start()
    second.start()
    bus.deliver_all()
    own.set_monotonic(own.monotonic() + 300)
    own.advance(0)
    assert not second.cluster.is_alone
    bus.deliver_all()
    # What was silent then must not be taken for silent for longer than it is.
    for _ in range(70):
        own.advance(0.5)
    assert second.cluster.is_alone


def test_a_restored_bus_is_caught_up_with_in_both_directions() -> None:
    group = Group(2)
    first, second = group.members
    first.adapter.cut()
    assert not first.node.peers.is_healthy
    first.connect().subscribe("presence-x", "1")
    second.connect().subscribe("presence-y", "2")
    group.settle()
    first.adapter.mend()
    assert first.node.peers.is_healthy
    group.settle()
    group.wait(A_WHILE)
    assert_agreed(group)
    assert first.node.view.connection_count(APP_ID) == 2


def test_a_node_wrongly_taken_for_dead_returns_with_everything() -> None:
    group = Group(2)
    first, second = group.members
    first.connect().subscribe("presence-x", "1")
    group.settle()
    first.adapter.cut()
    group.wait(40)
    assert second.cluster.is_alone
    first.adapter.mend()
    group.wait(A_WHILE)
    assert_agreed(group)
    assert second.node.view.has_member(APP_ID, "presence-x", "1")


def test_an_event_reaches_other_nodes_but_not_the_excluded_subscriber() -> None:
    group = Group(2)
    first, second = group.members
    one, two = second.connect(), second.connect()
    for client in (one, two):
        client.subscribe("news")
    first.publish("news", socket_id=one.socket_id)
    group.settle()
    assert one.take() == []
    assert two.events() == ["event"]


def test_a_node_that_is_alone_publishes_no_events() -> None:
    member = Group(1).members[0]
    member.publish("news")
    member.publish("cache-x")
    assert member.adapter.said(envelope.EVENT) == []
    assert member.adapter.said(envelope.CACHED_EVENT) == []


def test_a_node_that_hears_nobody_publishes_until_others_are_gone() -> None:
    group = Group(2)
    first, second = group.members
    second.die()
    group.wait(31)
    assert first.cluster.is_alone
    # The other one may live behind a part of the bus that hangs.
    first.publish("news")
    assert len(first.adapter.said(envelope.EVENT)) == 1
    group.wait(31)
    first.publish("news")
    assert len(first.adapter.said(envelope.EVENT)) == 1


def test_a_node_on_a_broken_bus_publishes_for_unknown_nodes() -> None:
    group = Group(2)
    first, second = group.members
    client = second.connect()
    client.subscribe("news")
    group.settle()
    for member in group.members:
        member.adapter.cut()
    group.wait(100)
    assert first.cluster.is_alone
    # Over the part of the bus that works, as a driver with several servers does.
    first.adapter.is_connected = second.adapter.is_connected = True
    first.publish("news")
    group.bus.deliver_all()
    assert client.events() == ["event"]


def test_every_channel_has_one_owner_on_which_all_agree() -> None:
    group = Group(3)
    for number in range(50):
        owners = [member for member in group.members if member.cluster.is_owner(APP_ID, f"c{number}")]
        assert len(owners) == 1


async def test_starting_waits_for_what_the_others_have() -> None:
    group = Group(1)
    group.members[0].connect().subscribe("news")
    late = Member(group.bus, clock=group.clock)
    starting = asyncio.create_task(late.cluster.start(late.handler))
    await asyncio.sleep(0)
    while not len(late.cluster.nodes):
        group.bus.deliver()
    assert not starting.done()
    while not starting.done():
        if group.bus.parcels:
            group.bus.deliver()
        await asyncio.sleep(0)
    assert late.node.view.is_occupied(APP_ID, "news")


async def test_events_have_arrived_when_their_nodes_answered_and_not_before() -> None:
    group = Group(3)
    first, second, third = group.members
    client = first.connect()
    client.subscribe("news")
    group.settle()
    # A sign of life that was on its way before the events, and before the question, is no answer to it.
    group.clock.advance(A_WHILE)
    second.publish("news")
    third.publish("news")
    waiting = asyncio.create_task(first.cluster.settle())
    await asyncio.sleep(0)
    while envelope.HEARTBEAT in group.bus.kinds():
        group.bus.deliver()
        await asyncio.sleep(0)
    assert not waiting.done()
    while not waiting.done():
        if group.bus.parcels:
            group.bus.deliver()
        await asyncio.sleep(0)
    assert client.events() == ["event", "event"]


async def test_a_node_that_is_alone_waits_for_nobody() -> None:
    await asyncio.wait_for(Group(1).members[0].cluster.settle(), 1)


def test_a_heartbeat_tells_of_the_node() -> None:
    group = Group(1)
    member = group.members[0]
    member.connect().subscribe("news")
    group.wait(A_WHILE)
    heartbeat = envelope.parse(member.adapter.said(envelope.HEARTBEAT)[-1])
    assert isinstance(heartbeat, Heartbeat)
    assert (heartbeat.hello, heartbeat.connections, heartbeat.channels, heartbeat.topics) == (False, 1, 1, 1)
    assert heartbeat.number >= 1


def test_a_user_is_terminated_on_every_node() -> None:
    group = Group(2)
    first, second = group.members
    client = second.connect()
    client.subscribe("presence-x", "1")
    first.node.terminate_user(first.app, "1")
    group.settle()
    assert not client.connection.is_open
    assert isinstance(envelope.parse(first.adapter.said(envelope.TERMINATE)[0]), Terminate)


def test_a_user_is_sent_to_reconnect_on_every_node() -> None:
    group = Group(2)
    first, second = group.members
    client = second.connect()
    client.subscribe("presence-x", "1")
    first.node.reconnect_user(first.app, "1")
    group.settle()
    assert client.wire.closed == [(4200, "Force reconnect requested by the app.")]


def test_an_old_node_ignores_a_forced_reconnect(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(2)
    first, second = group.members
    client = second.connect()
    client.subscribe("presence-x", "1")
    known = {kind: body for kind, body in envelope._BODIES.items() if kind != envelope.FORCE_RECONNECT}
    monkeypatch.setattr(envelope, "_BODIES", known)
    first.node.reconnect_user(first.app, "1")
    group.settle()
    assert client.connection.is_open
    first.node.terminate_user(first.app, "1")
    group.settle()
    assert not client.connection.is_open
    assert isinstance(envelope.parse(second.adapter.said(envelope.DELTA)[-1]), Delta)
