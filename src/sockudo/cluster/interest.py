"""Joins and leaves topics of the bus: those of channels with subscribers here, and of users signed in here.

A node leaves a topic a while after its last subscriber, so that a page that reloads does not make it leave and join.

Before a further subscriber is told of success, every event that the bus took until then must have arrived: it was
published before the subscription, and is not for this subscriber.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import islice
from typing import Final, NamedTuple

from sockudo.bus.base import Adapter
from sockudo.bus.broker.connection import settle
from sockudo.cluster.messages.topics import EVERYONE, channel_topic
from sockudo.eventual import later
from sockudo.hub.hub import Hub
from sockudo.pusher.channels import SERVER_TO_USER
from sockudo.timing.clock import Clock, Handle, is_due

LINGER: Final = 1.0
# The most topics to leave in one turn of the event loop: a client may leave hundreds of thousands in a moment.
SWEPT_AT_ONCE: Final = 250
# A bus that hangs delays further subscribers of a joined topic by no more than this.
MOST_BEHIND: Final = 1.0


class JoinedChannel(NamedTuple):
    """The channel that a topic belongs to."""

    app_id: str
    name: str


def is_needed(hub: Hub, app_id: str, name: str) -> bool:
    """Return whether a node has subscribers of a channel, or the user whose channel it is."""
    if name.startswith(SERVER_TO_USER):
        return hub.is_online(app_id, name[len(SERVER_TO_USER) :])
    return hub.channel(app_id, name) is not None


class Interest:
    """Joins topics before the first subscriber is told of success, and leaves them after the last."""

    def __init__(self, adapter: Adapter, clock: Clock, is_needed: Callable[[str, str], bool]) -> None:
        self._adapter = adapter
        self._clock = clock
        self._is_needed = is_needed
        self._channels: dict[str, JoinedChannel] = {}
        self._joining: dict[str, asyncio.Future[None]] = {}
        # topic -> when it may be left, oldest first
        self._lingering: OrderedDict[str, float] = OrderedDict()
        # The futures of callers that wait to have caught up, and until when, oldest first.
        self._behind: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._timer: Handle | None = None

    def __len__(self) -> int:
        return len(self._channels)

    def channel(self, topic: str) -> JoinedChannel | None:
        """Return the channel of a topic that this node has joined."""
        return self._channels.get(topic)

    def join(
        self, app_id: str, name: str, *, is_kept: bool = False, has_caught_up: bool = False
    ) -> asyncio.Future[None] | None:
        """Join the topic of a channel for one more subscriber; see `Peers.join`."""
        topic = channel_topic(app_id, name)
        joining = self._joining.get(topic)
        if topic not in self._channels:
            arriving = self._join(topic, JoinedChannel(app_id, name))
        elif has_caught_up:
            return joining
        elif joining is not None:
            # A later subscriber has more to catch up with than the first.
            arriving = later(joining, lambda _: self._caught_up(topic))
        else:
            arriving = self._caught_up(topic)
        kept = self._caught_up(EVERYONE) if is_kept and not has_caught_up else None
        if kept is None or arriving is None:
            return kept or arriving
        return later(arriving, lambda _: kept)

    def release(self, app_id: str, name: str) -> None:
        """Note that the last subscriber of a channel here is gone."""
        topic = channel_topic(app_id, name)
        if topic in self._channels:
            self._linger(topic)

    def _join(self, topic: str, channel: JoinedChannel) -> asyncio.Future[None] | None:
        self._channels[topic] = channel
        # If the subscription fails, the node leaves the topic again.
        self._linger(topic)
        joining = self._adapter.subscribe(topic)
        if joining is None or joining.done():
            return None
        self._joining[topic] = joining
        joining.add_done_callback(lambda _: self._joining.pop(topic, None))
        return joining

    def _caught_up(self, topic: str) -> asyncio.Future[None] | None:
        """Return a future that is done when everything published to a joined topic has arrived, or None if it has."""
        arriving = self._adapter.subscribe(topic)
        if arriving is None or arriving.done():
            return None
        behind = self._behind
        while behind and behind[0][1].done():
            behind.popleft()
        if self._timer is None:
            self._timer = self._clock.call_later(MOST_BEHIND, self._give_up)
        behind.append((self._clock.monotonic() + MOST_BEHIND, arriving))
        return arriving

    def _give_up(self) -> None:
        """Finish the futures that have waited for too long."""
        self._timer = None
        behind, now = self._behind, self._clock.monotonic()
        while behind and (behind[0][1].done() or is_due(behind[0][0], now)):
            settle(behind.popleft()[1])
        if behind:
            self._timer = self._clock.call_later(behind[0][0] - now, self._give_up)

    def _linger(self, topic: str) -> None:
        if not self._lingering:
            self._clock.call_later(LINGER, self._sweep)
        self._lingering.pop(topic, None)
        self._lingering[topic] = self._clock.monotonic() + LINGER

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for topic in list(islice(self._lingering, SWEPT_AT_ONCE)):
            if not is_due(self._lingering[topic], now):
                break
            del self._lingering[topic]
            channel = self._channels[topic]
            if topic in self._joining:
                self._lingering[topic] = now + LINGER
            elif not self._is_needed(channel.app_id, channel.name):
                del self._channels[topic]
                self._adapter.unsubscribe(topic)
        if self._lingering:
            self._clock.call_later(max(0.0, next(iter(self._lingering.values())) - now), self._sweep)
