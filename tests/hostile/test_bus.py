"""Whatever comes over the bus, clients are served in time, their streams stay whole, and the bus stays."""

from __future__ import annotations

import asyncio

import pytest

from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import (
    AppState,
    ChannelState,
    EventToCache,
    Goodbye,
    Report,
    Reports,
    RollCall,
    Verb,
)
from sockudo.cluster.messages.topics import EVERYONE, channel_topic
from sockudo.cluster.nodes import MOST_NODES
from sockudo.hub.hub import Hub
from sockudo.pusher.channels import kind_of
from sockudo.websocket.frames import text_frame
from tests.clients.client import ApiClient, PusherClient
from tests.fakes.hostile_bus import (
    CHANNELS,
    NODE,
    Intruder,
    channel_names,
    delta,
    heartbeat,
    intruder,
    said,
)
from tests.servers.server import APP_ID, app
from tests.support.turns import TOLERATED_TURN
from tests.support.waiting import eventually

NEWS = channel_topic(APP_ID, "news")
EVENT = envelope.header(envelope.EVENT, NODE) + b"\0"
WEBHOOKS = [{"url": "http://127.0.0.1:9/", "event_types": ["channel_occupied", "channel_vacated"]}]

NOT_EVENTS = [
    b"\1",
    envelope.header(envelope.EVENT, NODE),
    EVENT,
    EVENT + b"\x81",
    EVENT + b"no frame at all",
    EVENT + text_frame(b'{"event":"a"}') + b"more",
    EVENT + text_frame(b'{"event":"a"}')[:-1],
    EVENT + text_frame(b'{"event":"\xff"}'),
    EVENT + b"\x88\x02\x03\xe8",  # a close frame
    envelope.header(envelope.EVENT, NODE) + b"\xff" + text_frame(b"{}"),
]


def app_with(webhooks: object) -> dict[str, object]:
    return app(webhooks=webhooks, enable_subscription_count=True)


async def knows(some: Intruder, channels: int) -> None:
    """Wait until the server knows so many channels of the others."""

    async def is_so() -> bool:
        return await some.occupied() == channels

    await eventually(is_so, within=60)


async def test_malformed_frames_reach_no_client_and_the_next_event_does() -> None:
    async with intruder() as some, PusherClient(some.server.port) as client:
        await client.subscribe("news")
        await some.say(*NOT_EVENTS, topic=NEWS)
        await some.say(EVENT + text_frame(b'{"event":"whole","channel":"news","data":"{}"}'), topic=NEWS)
        assert (await client.receive())["event"] == "whole"
        counters = some.server.running.assembly.node.peers.counters  # type: ignore[attr-defined]  # it is a cluster
        assert (counters.misunderstood, counters.failed) == (len(NOT_EVENTS), 0)


async def test_members_that_no_client_could_read_are_not_told() -> None:
    room = "presence-x"

    def joined(user_id: str, info: bytes) -> AppState:
        return AppState(1, {room: ChannelState(1, {user_id: info})})

    async with intruder() as some, PusherClient(some.server.port) as client:
        await client.subscribe(room, {"user_id": "me"})
        await some.say(heartbeat())
        await some.say_snapshot([{}])
        for info in (b"\xff", b'{"name":"\xff"}', b"{", b"", b"1 2"):
            await some.say(delta(1, joined("bad", info)))
        await some.say_snapshot([{APP_ID: joined("bad", b"\xff")}], 1)
        await some.say(delta(1, joined("good", b'{"name":"\xc3\xa9"}')))
        assert (await client.receive())["event"].endswith("member_added")
        answer = await ApiClient(some.server.port).get(f"/channels/{room}/users")
        assert {user["id"] for user in answer.json()["users"]} == {"me", "good"}


@pytest.mark.parametrize(("webhooks", "count"), [([], CHANNELS), (WEBHOOKS, 40_000)], ids=["no webhooks", "webhooks"])
async def test_a_snapshot_of_many_channels_is_handled_in_short_turns(webhooks: object, count: int) -> None:
    async with intruder(app_with(webhooks)) as some, PusherClient(some.server.port):
        await some.say(heartbeat())
        some.server.meter.take()
        parts = [{APP_ID: AppState(1, {name: ChannelState(1) for name in names})} for names in channel_names(count)]
        await some.say_snapshot(parts)
        await knows(some, count)
        # Once more the same, and then another one of the same size.
        await some.say_snapshot(parts)
        await some.say_snapshot(
            [{APP_ID: AppState(1, {f"x{name}": ChannelState(1) for name in names})} for names in channel_names(count)]
        )
        await knows(some, count)
        assert some.server.meter.take() < TOLERATED_TURN


@pytest.mark.parametrize(("webhooks", "count"), [([], CHANNELS), (WEBHOOKS, 40_000)], ids=["no webhooks", "webhooks"])
@pytest.mark.parametrize("how", ["deltas", "goodbye"])
async def test_leaving_many_channels_at_once_makes_no_long_turn(how: str, webhooks: object, count: int) -> None:
    async with intruder(app_with(webhooks)) as some:
        await some.say(heartbeat())
        parts = channel_names(count)
        await some.say_snapshot([{APP_ID: AppState(1, {name: ChannelState(1) for name in names})} for names in parts])
        await knows(some, count)
        some.server.meter.take()
        if how == "goodbye":
            await some.say(said(envelope.GOODBYE, Goodbye()))
        else:
            left = [AppState(1, {name: ChannelState(0) for name in names}) for names in parts]
            await some.say(*(delta(number, state) for number, state in enumerate(left, 1)))
        await knows(some, 0)
        assert some.server.meter.take() < TOLERATED_TURN


async def test_a_delta_with_many_members_is_handled_in_short_turns() -> None:
    async with intruder(app_with([])) as some, PusherClient(some.server.port) as client:
        await client.subscribe("presence-x", {"user_id": "me"})
        await some.say(heartbeat())
        await some.say_snapshot([{}])
        some.server.meter.take()
        members = [dict.fromkeys((f"user-{part}-{number}" for number in range(4000)), b"{}") for part in range(5)]
        states = [AppState(1, {"presence-x": ChannelState(1, joined)}) for joined in members]
        await some.say(*(delta(number, state) for number, state in enumerate(states, 1)))
        last = list(members[-1])[-1]
        while last not in (await client.receive())["data"]:
            pass
        assert some.server.meter.take() < TOLERATED_TURN


async def test_nodes_over_the_limit_are_ignored_and_logged_with_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with intruder() as some, PusherClient(some.server.port) as client:
        some.server.meter.take()
        for start in range(0, 5000, 1000):
            await some.say(*(heartbeat(f"{number:016x}", hello=True) for number in range(start, start + 1000)))
        await client.subscribe("news")
        await some.say(EVENT + text_frame(b'{"event":"whole","channel":"news","data":"{}"}'), topic=NEWS)
        assert (await client.receive())["event"] == "whole"
        nodes = some.server.running.assembly.node.peers.nodes  # type: ignore[attr-defined]  # it is a cluster

        async def are_all() -> bool:
            return len(nodes) == MOST_NODES

        await eventually(are_all, within=30)
        assert some.server.meter.take() < TOLERATED_TURN
    assert f"limit={MOST_NODES}" in capsys.readouterr().out


async def test_many_small_messages_at_once_are_handled_in_short_turns() -> None:
    async with intruder(app_with(WEBHOOKS)) as some:
        await some.say(heartbeat())
        await some.say_snapshot([{}])
        some.server.meter.take()
        names = [f"channel-{number}" for number in range(5000)]
        told = [Reports(Verb.REPORTED, [Report(APP_ID, name, None, True, 1.0)]) for name in names]
        changes = [delta(number, AppState(1, {name: ChannelState(1)})) for number, name in enumerate(names, 1)]
        await some.say(*(said(envelope.REPORTS, report) for report in told))
        await some.say(*changes)
        await knows(some, len(names))
        assert some.server.meter.take() < TOLERATED_TURN


async def test_a_message_that_is_longer_than_a_nodes_is_dropped() -> None:
    async with intruder() as some:
        await some.say(heartbeat())
        await some.say_snapshot([{}])
        names = [f"channel-{number}" for number in range(100_000)]
        some.server.meter.take()
        await some.say(delta(1, AppState(1, {name: ChannelState(1) for name in names})))
        await some.say(delta(1, AppState(1, {"news": ChannelState(1)})))
        await knows(some, 1)
        assert some.server.meter.take() < TOLERATED_TURN


async def test_a_cached_event_that_is_no_frame_is_not_kept() -> None:
    async with intruder() as some, PusherClient(some.server.port) as client:
        for frame in (b"\x81", b"garbage", text_frame(b"\xff")):
            bad = EventToCache(APP_ID, "cache-x", None, frame)
            await some.say(heartbeat(), said(envelope.CACHED_EVENT, bad))
        await client.subscribe("cache-x")
        assert (await client.receive())["event"] == "pusher:cache_miss"


async def test_a_node_with_many_channels_sends_them_in_short_turns() -> None:
    async with intruder() as some, PusherClient(some.server.port):
        await some.say(heartbeat())
        hub: Hub = some.server.running.assembly.node.hub
        (connection,) = hub.connections()
        names = channel_names(CHANNELS)

        async def join(some_names: list[str]) -> None:
            for name in some_names:
                hub.subscribe(connection, name, kind_of(name))

        for some_names in names:
            await some.server.do(lambda some_names=some_names: join(some_names))  # type: ignore[misc]  # its own names
        counters = some.server.running.assembly.node.peers.counters  # type: ignore[attr-defined]  # it is a cluster
        some.server.meter.take()
        await some.say(envelope.header(envelope.SYNC, NODE) + b"\x90")

        async def is_sent() -> bool:
            work = some.server.running.assembly.node.peers._membership._work  # type: ignore[attr-defined]  # as above
            return counters.snapshots_sent == 1 and not work.is_busy("snapshots")

        await eventually(is_sent, within=60)
        assert some.server.meter.take() < TOLERATED_TURN


async def test_few_signs_of_life_answer_a_flood_of_askers() -> None:
    async with intruder() as some:
        heard: list[bytes] = []
        adapter = some._adapter
        assert adapter._inbox is not None
        adapter._inbox.received = lambda topic, data: heard.append(data)  # type: ignore[method-assign]  # to listen

        async def listen() -> None:
            await adapter.subscribe(EVERYONE)

        await some.server.do(listen)
        await some.say(*[said(envelope.ROLL_CALL, RollCall())] * 1000)
        await asyncio.sleep(0.2)
        assert 1 <= sum(data[0] == envelope.HEARTBEAT for data in heard) <= 10
