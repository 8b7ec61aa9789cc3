from __future__ import annotations

import asyncio

from sockudo.cluster.interest import LINGER, MOST_BEHIND, SWEPT_AT_ONCE, Interest, JoinedChannel
from sockudo.cluster.messages.topics import EVERYONE, channel_topic
from tests.fakes.clock import FakeClock
from tests.servers.cluster import Bus

NEWS = channel_topic("app", "news")


class Topics:
    """Topics of a node on whose channels the tests say who is."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.adapter = Bus().adapter()
        self.needed: set[str] = set()
        self.interest = Interest(self.adapter, self.clock, lambda _, name: name in self.needed)

    def use(self, name: str) -> None:
        """Join a channel that then has a subscriber."""
        assert self.interest.join("app", name, has_caught_up=True) is None
        self.needed.add(name)

    def leave(self, name: str) -> None:
        """Let the last subscriber of a channel go."""
        self.needed.discard(name)
        self.interest.release("app", name)


def test_a_topic_is_joined_once_and_leads_to_its_channel() -> None:
    topics = Topics()
    topics.use("news")
    assert topics.interest.join("app", "news", has_caught_up=True) is None
    assert topics.adapter.log == [f"+{NEWS}"]
    assert topics.interest.channel(NEWS) == JoinedChannel("app", "news")
    assert topics.interest.channel("c:app/other") is None
    assert len(topics.interest) == 1


def test_a_topic_that_is_needed_is_kept() -> None:
    topics = Topics()
    topics.use("news")
    topics.clock.advance(100)
    assert topics.adapter.log == [f"+{NEWS}"]
    assert topics.clock.timers == 0


def test_a_topic_is_left_a_while_after_its_last_subscriber() -> None:
    topics = Topics()
    topics.use("news")
    topics.clock.advance(100)
    topics.leave("news")
    topics.clock.advance(LINGER * 0.9)
    assert topics.interest.channel(NEWS) is not None
    topics.clock.advance(LINGER * 0.2)
    assert topics.adapter.log == [f"+{NEWS}", f"-{NEWS}"]
    assert topics.interest.channel(NEWS) is None
    assert topics.clock.timers == 0


def test_who_comes_back_in_time_does_not_flap_the_topic() -> None:
    topics = Topics()
    topics.use("news")
    for _ in range(10):
        topics.leave("news")
        topics.clock.advance(LINGER * 0.5)
        topics.use("news")
        topics.clock.advance(LINGER * 3)
    assert topics.adapter.log == [f"+{NEWS}"]


def test_the_last_of_several_departures_counts() -> None:
    topics = Topics()
    topics.use("news")
    topics.leave("news")
    topics.clock.advance(LINGER * 0.8)
    topics.use("news")
    topics.leave("news")
    topics.clock.advance(LINGER * 0.8)
    assert topics.adapter.log == [f"+{NEWS}"]
    topics.clock.advance(LINGER * 0.3)
    assert topics.adapter.log == [f"+{NEWS}", f"-{NEWS}"]


def test_a_topic_that_was_left_can_be_joined_again() -> None:
    topics = Topics()
    topics.use("news")
    topics.leave("news")
    topics.clock.advance(5)
    topics.use("news")
    topics.clock.advance(5)
    assert topics.adapter.log == [f"+{NEWS}", f"-{NEWS}", f"+{NEWS}"]


def test_a_topic_that_came_to_nothing_is_left_again() -> None:
    topics = Topics()
    topics.interest.join("app", "news")
    topics.clock.advance(LINGER)
    assert topics.adapter.log == [f"+{NEWS}", f"-{NEWS}"]


def test_topics_are_left_each_in_its_own_time() -> None:
    topics = Topics()
    for name in "abc":
        topics.use(name)
        topics.clock.advance(0.3)
        topics.leave(name)
    topics.clock.advance(0.5)
    assert [entry for entry in topics.adapter.log if entry[0] == "-"] == ["-c:app/a"]
    topics.clock.advance(5)
    assert [entry for entry in topics.adapter.log if entry[0] == "-"] == ["-c:app/a", "-c:app/b", "-c:app/c"]


def test_releasing_what_was_never_joined_does_nothing() -> None:
    topics = Topics()
    topics.interest.release("app", "news")
    assert (topics.adapter.log, topics.clock.timers) == ([], 0)


async def test_who_comes_later_catches_up() -> None:
    topics = Topics()
    topics.use("news")
    topics.adapter.is_slow = True
    arriving = topics.interest.join("app", "news")
    assert arriving is not None
    assert not arriving.done()
    topics.adapter.confirm(NEWS)
    assert arriving.done()
    assert topics.interest.join("app", "news", has_caught_up=True) is None
    assert topics.adapter.log == [f"+{NEWS}", f"?{NEWS}"]


async def test_a_newcomer_during_a_join_catches_up_after_it() -> None:
    topics = Topics()
    topics.adapter.is_slow = True
    first, second = topics.interest.join("app", "news"), topics.interest.join("app", "news")
    assert first is not None
    assert second is not None
    topics.adapter.confirm(NEWS)
    await asyncio.sleep(0)
    assert first.done()
    assert not second.done()
    topics.adapter.confirm(NEWS)
    await asyncio.sleep(0)
    assert second.done()
    assert topics.adapter.log == [f"+{NEWS}", f"?{NEWS}"]


async def test_a_subscriber_that_caught_up_still_awaits_a_new_join() -> None:
    topics = Topics()
    topics.adapter.is_slow = True
    joining = topics.interest.join("app", "news", has_caught_up=True)
    assert joining is not None
    assert topics.interest.join("app", "news", has_caught_up=True) is joining


async def test_joining_a_kept_channel_also_catches_up_with_everyone() -> None:
    topics = Topics()
    topics.adapter.topics.add(EVERYONE)
    topics.adapter.is_slow = True
    arriving = topics.interest.join("app", "cache-a", is_kept=True)
    assert arriving is not None
    for topic in (channel_topic("app", "cache-a"), EVERYONE):
        await asyncio.sleep(0)
        assert not arriving.done()
        topics.adapter.confirm(topic)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert arriving.done()
    assert topics.interest.join("app", "cache-a", is_kept=True, has_caught_up=True) is None


async def test_nobody_waits_for_long_for_a_bus_that_hangs() -> None:
    topics = Topics()
    topics.use("news")
    topics.adapter.is_slow = True
    first = topics.interest.join("app", "news")
    topics.clock.advance(MOST_BEHIND / 2)
    second = topics.interest.join("app", "news")
    assert first is not None
    assert second is not None
    topics.clock.advance(MOST_BEHIND / 2)
    assert first.done()
    assert not second.done()
    topics.clock.advance(MOST_BEHIND / 2)
    assert second.done()
    assert topics.clock.timers == 0


async def test_many_who_catch_up_need_one_timer() -> None:
    topics = Topics()
    topics.use("news")
    topics.clock.advance(100)
    topics.adapter.is_slow = True
    for _ in range(100):
        topics.interest.join("app", "news")
        topics.adapter.confirm(NEWS)
    assert topics.clock.timers == 1
    topics.clock.advance(MOST_BEHIND)
    assert topics.clock.timers == 0


async def test_a_topic_is_not_left_while_it_is_being_joined() -> None:
    topics = Topics()
    topics.adapter.is_slow = True
    topics.interest.join("app", "news")
    topics.clock.advance(LINGER * 5)
    assert topics.adapter.log == [f"+{NEWS}"]
    topics.adapter.confirm(NEWS)
    await asyncio.sleep(0)
    topics.clock.advance(LINGER * 2)
    assert topics.adapter.log == [f"+{NEWS}", f"-{NEWS}"]


def test_very_many_topics_are_left_some_at_a_time() -> None:
    topics = Topics()
    names = [f"channel-{number}" for number in range(4 * SWEPT_AT_ONCE)]
    for name in names:
        topics.use(name)
    topics.clock.advance(LINGER * 2)
    for name in names:
        topics.leave(name)
    counts: list[int] = []
    sweep = topics.interest._sweep

    def counted() -> None:
        before = len(topics.adapter.log)
        sweep()
        counts.append(len(topics.adapter.log) - before)

    topics.interest._sweep = counted  # type: ignore[method-assign]  # to count what one turn does
    topics.clock.advance(LINGER * 2)
    assert len(topics.interest) == 0
    assert max(counts) <= SWEPT_AT_ONCE
    assert [entry for entry in topics.adapter.log if entry.startswith("-")] == [
        f"-{channel_topic('app', name)}" for name in names
    ]
