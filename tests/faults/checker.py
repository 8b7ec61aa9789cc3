"""Compares what clients saw with what publishers were told, over everything that happened in a run.

Times are monotonic seconds of this process, which drives both. The rules:

* A connection never gets an event of a publisher on a channel twice, or after a later one.
* A connection gets every event that was accepted while it was subscribed and the bus between the two nodes was whole.
* On a presence channel a connection hears of each user in turn: there, gone, there; and of nobody that it is gone who
  stays where it was.
* A channel is said to be occupied and vacated in turn, and what was said last is so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

# How long an event may be on its way to a connection that ends by itself, or that is killed, before it counts as lost.
FLIGHT: Final = 1.0


class Publish(NamedTuple):
    """An event and what its publisher was told: `accepted_at` is None where there was no answer, or a refusal."""

    publisher: str
    channel: str
    number: int
    node: str
    sent_at: float
    accepted_at: float | None
    # What was answered instead, or what befell the connection.
    refusal: str = ""


class Seen(NamedTuple):
    """An event that a connection got."""

    publisher: str
    channel: str
    number: int


class Told(NamedTuple):
    """A member that a connection was told of: `is_there` or gone."""

    channel: str
    user_id: str
    is_there: bool
    at: float


class Transition(NamedTuple):
    """What a node says of a channel to the outside: `is_occupied` now, or vacated."""

    channel: str
    is_occupied: bool
    node: str
    at: float


@dataclass
class Session:
    """One connection of a client, who is a user of the same name.

    Attributes:
        subscribed_at: channel -> when the answer came that it is on it.
        ended_at: when the client noticed its end; None for a connection that still lives.
        close_code: with which it was ended, if anybody said so.
        whole_until: events that were accepted up to then must have arrived; None for a connection that still lives.
        rosters: presence channel -> users in the answer to the subscription.
    """

    client: str
    node: str
    subscribed_at: dict[str, float] = field(default_factory=dict)
    ended_at: float | None = None
    whole_until: float | None = None
    seen: list[Seen] = field(default_factory=list)
    rosters: dict[str, frozenset[str]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    close_code: int | None = None

    def members(self, channel: str) -> set[str]:
        """Return the members of a presence channel as this connection knows them."""
        known = set(self.rosters[channel])
        for told in self.told:
            if told.channel == channel:
                (known.add if told.is_there else known.discard)(told.user_id)
        return known

    def is_on(self, channel: str, start: float, end: float) -> bool:
        """Tell whether it was on a channel all that time."""
        return self.subscribed_at.get(channel, end) < start and (self.ended_at is None or self.ended_at > end)


class Outage(NamedTuple):
    """From when to when a node was cut off from the others, or each from each (`node` None).

    Attributes:
        events_of: the only channels whose events may be lost; None for every channel.
    """

    node: str | None
    start: float
    end: float
    events_of: Collection[str] | None = None

    def spoils(self, publish: Publish, session: Session) -> bool:
        """Tell whether an event may have been lost on its way to a connection."""
        if publish.node == session.node or (self.events_of is not None and publish.channel not in self.events_of):
            return False
        until = publish.sent_at if publish.accepted_at is None else publish.accepted_at
        return self.parts(publish.node, session.node, publish.sent_at, until + FLIGHT)

    def parts(self, one: str, other: str, start: float, end: float) -> bool:
        """Tell whether two nodes may not have heard each other at some time."""
        return self.node in (None, one, other) and start <= self.end and end >= self.start


@dataclass
class History:
    """Everything that happened."""

    publishes: list[Publish] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)

    def problems(self) -> list[str]:
        """Return what breaks a rule, in words; nothing where all is well."""
        return [*self._disorder(), *self._losses(), *self._member_problems(), *self._false_departures()]

    def transition_problems(self, transitions: Collection[Transition], occupied: Collection[str]) -> list[str]:
        """Return what is wrong with everything that nodes said of channels to the outside.

        Parted nodes may say the same thing each; once they are together again, the last word must be true.

        Args:
            transitions: all that was said since no channel was occupied.
            occupied: the channels that are occupied now, when nothing is on its way any more.
        """
        problems: list[str] = []
        last: dict[str, Transition] = {}
        for said in sorted(transitions, key=lambda said: said.at):
            before = last.get(said.channel)
            word = "occupied" if said.is_occupied else "vacated"
            if (before is not None and before.is_occupied) is said.is_occupied and not self._is_in_outage(said.at):
                problems.append(f"{said.node}: {said.channel} {word} twice")
            last[said.channel] = said
        told = {said.channel for said in last.values() if said.is_occupied}
        return problems + differences("all", "what is said to be occupied", told, occupied)

    def _disorder(self) -> Iterator[str]:
        for session in self.sessions:
            last: dict[tuple[str, str], int] = {}
            for seen in session.seen:
                before = last.get((seen.publisher, seen.channel), -1)
                if seen.number <= before:
                    kind = "doubled" if seen.number == before else f"after {before}"
                    yield f"{session.client} on {session.node}: {_name(seen)} {kind}"
                last[seen.publisher, seen.channel] = max(before, seen.number)

    def _losses(self) -> Iterator[str]:
        on_channel: dict[str, list[Publish]] = defaultdict(list)
        for publish in self.publishes:
            on_channel[publish.channel].append(publish)
        for session in self.sessions:
            seen = set(session.seen)
            for channel in session.subscribed_at:
                for publish in on_channel[channel]:
                    missing = Seen(publish.publisher, channel, publish.number) not in seen
                    if missing and self._is_due(publish, session):
                        yield f"{session.client} on {session.node}: {_name(publish)} of {publish.node} lost"

    def _is_due(self, publish: Publish, session: Session) -> bool:
        if publish.accepted_at is None or publish.sent_at <= session.subscribed_at[publish.channel]:
            return False
        if session.whole_until is not None and publish.accepted_at > session.whole_until:
            return False
        return not any(outage.spoils(publish, session) for outage in self.outages)

    def _member_problems(self) -> Iterator[str]:
        for session in self.sessions:
            known = {channel: set(roster) for channel, roster in session.rosters.items()}
            for told in session.told:
                members = known[told.channel]
                if (told.user_id in members) is told.is_there:
                    word = "added" if told.is_there else "removed"
                    yield f"{session.client} on {session.node}: {told.user_id} {word} twice on {told.channel}"
                (members.add if told.is_there else members.discard)(told.user_id)

    def _false_departures(self) -> Iterator[str]:
        """Yield who was said to be gone, and had a connection all the time with nothing in between."""
        sessions_of: dict[str, list[Session]] = defaultdict(list)
        for session in self.sessions:
            sessions_of[session.client].append(session)
        for session in self.sessions:
            for told in session.told:
                start, end = told.at - FLIGHT, told.at + FLIGHT
                for there in () if told.is_there else sessions_of[told.user_id]:
                    parted = any(outage.parts(there.node, session.node, start, end) for outage in self.outages)
                    if not parted and there.is_on(told.channel, start, end):
                        yield f"{session.client} on {session.node}: {told.user_id} removed, but is on {there.node}"

    def _is_in_outage(self, at: float) -> bool:
        return any(outage.start <= at <= outage.end for outage in self.outages)


def differences(node: str, what: str, told: Collection[str] | int, truth: Collection[str] | int) -> list[str]:
    """Return in words how an answer of a node differs from the truth."""
    if isinstance(told, int) or isinstance(truth, int):
        return [] if told == truth else [f"{node}: {what} is {told}, not {truth}"]
    missing, extra = set(truth) - set(told), set(told) - set(truth)
    doubled = len(told) != len(set(told))
    if not missing and not extra and not doubled:
        return []
    return [f"{node}: {what} lacks {sorted(missing)}, has {sorted(extra)} too, {'some twice' if doubled else ''}"]


def _name(event: Seen | Publish) -> str:
    return f"{event.publisher}/{event.channel}/{event.number}"
