"""Which topics this node is on: those of channels with subscribers here, and of users signed in here.

A topic is left a while after its last subscriber, so that a page that reloads does not flap it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from sockudo.clock import Clock
from sockudo.cluster.base import Adapter
from sockudo.cluster.topics import channel_topic

LINGER: Final = 1.0


class Place(NamedTuple):
    """The channel that a topic belongs to."""

    app_id: str
    name: str


class Interest:
    """Joins topics before the first subscriber is told of success, and leaves them after the last."""

    def __init__(self, adapter: Adapter, clock: Clock, is_needed: Callable[[str, str], bool]) -> None:
        self._adapter = adapter
        self._clock = clock
        self._is_needed = is_needed
        self._places: dict[str, Place] = {}
        self._joining: dict[str, asyncio.Future[None]] = {}
        # topic -> when it may be left, oldest first
        self._lingering: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._places)

    def place(self, topic: str) -> Place | None:
        """Return the channel of a topic that this node is on."""
        return self._places.get(topic)

    def join(self, app_id: str, name: str) -> asyncio.Future[None] | None:
        """Join the topic of a channel; None where events arrive already, else a future for when they do."""
        topic = channel_topic(app_id, name)
        if topic in self._places:
            return self._joining.get(topic)
        self._places[topic] = Place(app_id, name)
        # Should the subscription come to nothing, the topic is left again.
        self._linger(topic)
        joining = self._adapter.subscribe(topic)
        if joining is not None and not joining.done():
            self._joining[topic] = joining
            joining.add_done_callback(lambda _: self._joining.pop(topic, None))
            return joining
        return None

    def release(self, app_id: str, name: str) -> None:
        """Note that the last subscriber of a channel here is gone."""
        topic = channel_topic(app_id, name)
        if topic in self._places:
            self._linger(topic)

    def _linger(self, topic: str) -> None:
        if not self._lingering:
            self._clock.call_later(LINGER, self._sweep)
        self._lingering.pop(topic, None)
        self._lingering[topic] = self._clock.monotonic() + LINGER

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        # A timer may fire a little early by the clock's own resolution.
        due = [topic for topic, until in self._lingering.items() if until <= now + 0.001]
        for topic in due:
            del self._lingering[topic]
            place = self._places[topic]
            if topic in self._joining:
                self._lingering[topic] = now + LINGER
            elif not self._is_needed(place.app_id, place.name):
                del self._places[topic]
                self._adapter.unsubscribe(topic)
        if self._lingering:
            self._clock.call_later(max(0.0, next(iter(self._lingering.values())) - now), self._sweep)
