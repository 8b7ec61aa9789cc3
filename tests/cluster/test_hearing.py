"""No bytes from the bus raise, stop a node or cost it the bus, whatever they are."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import (
    AppState,
    ChannelState,
    Delta,
    ForceReconnect,
    Report,
    Reports,
    SnapshotPart,
    Terminate,
    Verb,
    encode,
)
from sockudo.cluster.messages.topics import EVERYONE, channel_topic, node_topic
from tests.fakes.hostile_bus import heartbeat
from tests.fakes.node import APP_ID
from tests.servers.cluster import Group, message
from tests.support.properties import THOROUGH

NODE = "00000000000000ee"
KINDS = range(18)

values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.sampled_from([APP_ID, "presence-x", "news", "cache-x", b"\x81\x02{}"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
bodies = st.binary(max_size=60) | st.lists(values, max_size=11).map(msgspec.msgpack.encode)
states = st.builds(
    AppState,
    st.integers(0, 3),
    st.dictionaries(
        st.sampled_from(["presence-x", "news", "", "\0"]),
        st.builds(
            ChannelState,
            st.integers(0, 3),
            st.dictionaries(st.text(max_size=3), st.binary(max_size=3) | st.just(b"{}"), max_size=3),
            st.lists(st.text(max_size=3), max_size=3),
        ),
        max_size=3,
    ),
    st.lists(st.text(max_size=3), max_size=3),
    st.lists(st.text(max_size=3), max_size=3),
)
apps = st.dictionaries(st.sampled_from([APP_ID, "other", ""]), states, max_size=2)
reports = st.lists(
    st.builds(
        Report,
        st.sampled_from([APP_ID, ""]),
        st.text(max_size=3),
        st.none() | st.text(max_size=3),
        st.booleans(),
        st.floats(),
    ),
    max_size=4,
)
plausible = st.one_of(
    st.builds(Delta, st.integers(0, 5), apps).map(lambda one: (envelope.DELTA, encode(one))),
    st.builds(SnapshotPart, st.integers(0, 5), st.integers(0, 3), st.booleans(), apps).map(
        lambda one: (envelope.SNAPSHOT, encode(one))
    ),
    st.builds(Reports, st.sampled_from(Verb), reports, st.lists(st.text(max_size=3)), st.booleans(), st.booleans()).map(
        lambda one: (envelope.REPORTS, encode(one))
    ),
    st.builds(Terminate, st.just(APP_ID), st.text(max_size=3)).map(lambda one: (envelope.TERMINATE, encode(one))),
    st.builds(ForceReconnect, st.just(APP_ID), st.text(max_size=3)).map(
        lambda one: (envelope.FORCE_RECONNECT, encode(one))
    ),
)
messages = st.one_of(
    st.binary(max_size=12),
    st.tuples(st.sampled_from(KINDS), bodies).map(lambda one: message(one[0], NODE, one[1])),
    plausible.map(lambda one: message(one[0], NODE, one[1])),
    st.just(heartbeat(NODE)),
)


@THOROUGH
@given(st.lists(messages, max_size=8))
def test_no_bytes_from_the_bus_raise_or_stop_a_node(said: list[bytes]) -> None:
    group = Group(2, enable_user_authentication=True)
    first, second = group.members
    client = first.connect()
    client.subscribe("news")
    client.subscribe("presence-x", "me")
    client.take()
    topics = [EVERYONE, node_topic(first.node_id), channel_topic(APP_ID, "news"), channel_topic(APP_ID, "presence-x")]
    for number, data in enumerate(said):
        first.hear(topics[number % len(topics)], data)
        group.clock.advance(0.01)
    assert first.cluster.counters.failed == 0
    # Every frame that the client was given can be read, which `take` does, and the others are still heard.
    client.take()
    second.connect().subscribe("presence-x", "you")
    group.settle()
    assert "you" in str(client.take())
    assert first.cluster.is_healthy


def test_few_signs_of_life_answer_many_askers_at_once() -> None:
    group = Group(1)
    member = group.members[0]
    before = len(member.adapter.said(envelope.HEARTBEAT))
    for number in range(1000):
        member.hear(EVERYONE, heartbeat(f"{number:016x}", hello=True))
    group.clock.advance(0.2)
    answers = len(member.adapter.said(envelope.HEARTBEAT)) - before
    assert 1 <= answers <= 5


def test_a_nodes_messages_are_handled_in_order_whatever_their_size() -> None:
    group = Group(1)
    member = group.members[0]
    member.hear(EVERYONE, heartbeat(NODE))
    everything = {APP_ID: AppState(1, {f"c{number}": ChannelState(1) for number in range(3000)})}
    member.hear(
        node_topic(member.node_id), message(envelope.SNAPSHOT, NODE, encode(SnapshotPart(0, 0, True, everything)))
    )
    for number in range(1, 6):
        change = Delta(number, {APP_ID: AppState(1, {"news": ChannelState(number % 2)})})
        member.hear(EVERYONE, message(envelope.DELTA, NODE, encode(change)))
    assert not member.cluster.is_synced
    assert member.replica.channel(APP_ID, "news") is None
    group.clock.advance(0)
    assert member.cluster.is_synced
    assert member.replica.channel(APP_ID, "news") is not None
    assert len(list(member.replica.channels(APP_ID))) == 3001
    member.hear(EVERYONE, message(envelope.GOODBYE, NODE, b"\x90"))
    group.clock.advance(0)
    assert list(member.replica.channels(APP_ID)) == []
