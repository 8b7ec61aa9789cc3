from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.node import Client, World, data_of, make_app
from tests.support.properties import QUICK

COUNTING = make_app(enable_subscription_count=True)


def counts(client: Client) -> list[int]:
    """Return the counts that a client has heard since the last call."""
    event = "pusher_internal:subscription_count"
    return [data_of(frame)["subscription_count"] for frame in client.take() if frame["event"] == event]


def join(world: World, name: str = "news") -> Client:
    client = world.connect()
    world.session.receive(client.connection, b'{"event":"pusher:subscribe","data":{"channel":"%b"}}' % name.encode())
    return client


def test_a_subscriber_is_told_the_count_after_the_success() -> None:
    client = World(COUNTING).connect()
    success, count = client.subscribe("news")
    assert success["event"] == "pusher_internal:subscription_succeeded"
    assert count == {
        "event": "pusher_internal:subscription_count",
        "channel": "news",
        "data": '{"subscription_count":1}',
    }


def test_every_subscriber_is_told_when_one_comes_or_goes() -> None:
    world = World(COUNTING)
    first = join(world)
    world.clock.advance(2)
    assert counts(first) == [1]
    second = join(world)
    world.clock.advance(2)
    assert (counts(first), counts(second)) == ([2], [2])
    second.unsubscribe("news")
    world.clock.advance(2)
    assert (counts(first), counts(second)) == ([1], [])
    second.subscribe("news")
    world.clock.advance(2)
    second.leave()
    world.clock.advance(2)
    assert counts(first) == [2, 1]


def test_a_crowds_count_is_told_each_second_and_at_last() -> None:
    world = World(COUNTING)
    first = join(world)
    for _ in range(50):
        join(world)
    assert counts(first) == [1]
    world.clock.advance(0.75)
    assert counts(first) == []
    world.clock.advance(0.25)
    assert counts(first) == [51]
    world.clock.advance(60)
    assert counts(first) == []


def test_each_channel_has_its_own_second() -> None:
    world = World(COUNTING)
    one, two = join(world, "one"), join(world, "two")
    assert (counts(one), counts(two)) == ([1], [1])
    world.clock.advance(0.5)
    three = join(world, "three")
    join(world, "one")
    join(world, "three")
    world.clock.advance(0.5)
    assert (counts(one), counts(two), counts(three)) == ([2], [], [1])
    world.clock.advance(0.5)
    assert (counts(one), counts(three)) == ([], [2])


def test_a_channel_that_empties_and_fills_has_the_right_count() -> None:
    world = World(COUNTING)
    first = join(world)
    first.leave()
    second, third = join(world), join(world)
    assert (counts(second), counts(third)) == ([], [])
    world.clock.advance(1)
    assert (counts(second), counts(third)) == ([2], [2])


def test_a_channel_that_empties_for_good_is_forgotten() -> None:
    world = World(COUNTING)
    world.node.keepalive.stop()
    first, second = join(world), join(world)
    first.leave()
    second.leave()
    world.clock.advance(5)
    assert (counts(first), counts(second)) == ([1], [])
    assert world.clock.timers == 0
    assert counts(join(world)) == [1]


def test_apps_that_have_not_switched_it_on_hear_nothing() -> None:
    world = World()
    client = join(world)
    world.clock.advance(5)
    assert counts(client) == []


def test_presence_channels_are_never_counted() -> None:
    world = World(COUNTING)
    client = world.connect()
    frames = client.subscribe("presence-x", "1")
    world.clock.advance(5)
    assert [frame["event"] for frame in frames] == ["pusher_internal:subscription_succeeded"]
    assert counts(client) == []


def test_a_second_subscription_of_one_connection_changes_no_count() -> None:
    world = World(COUNTING)
    client = join(world)
    world.clock.advance(2)
    counts(client)
    assert [frame["event"] for frame in client.subscribe("news")] == ["pusher_internal:subscription_succeeded"]
    world.clock.advance(2)
    assert counts(client) == []


def test_all_channels_share_one_timer_that_ends_with_the_changes() -> None:
    world = World(COUNTING)
    world.node.keepalive.stop()
    for number in range(20):
        join(world, f"channel-{number}")
        world.clock.advance(0.01)
    assert world.clock.timers == 1
    world.clock.advance(5)
    assert world.clock.timers == 0


@QUICK
@given(st.lists(st.tuples(st.sampled_from(["join", "leave"]), st.integers(0, 16)), max_size=40))
def test_any_crowd_hears_one_count_a_second_and_the_last(steps: list[tuple[str, int]]) -> None:
    world = World(COUNTING)
    watcher = join(world)
    times: list[float] = []
    others: list[Client] = []

    def note() -> None:
        if heard := counts(watcher):
            assert len(heard) == 1
            times.append(world.clock.monotonic())
            last.append(heard[0])

    last: list[int] = []
    note()
    for step, sixteenths in steps:
        if step == "join":
            others.append(join(world))
        elif others:
            others.pop().leave()
        for _ in range(sixteenths):
            note()
            world.clock.advance(1 / 16)
        note()
    world.clock.advance(1)
    note()
    assert all(later - earlier >= 0.99 for earlier, later in pairwise(times))
    assert last[-1] == 1 + len(others)
