"""Sends the heartbeats of this node, at an interval and when another node asks."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Final

from sockudo import __version__
from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import Heartbeat
from sockudo.cluster.messages.topics import EVERYONE
from sockudo.cluster.messages.voice import Voice
from sockudo.hub.hub import Hub
from sockudo.timing.clock import Clock

# Nodes that ask within this many seconds of the last answer share the next one.
ANSWER_PAUSE: Final = 0.05


class Heartbeats:
    """The heartbeats of this process.

    Args:
        numbers: returns the number of the last delta, and how many topics this node has joined.

    Attributes:
        lag: how long this node's own last heartbeat was under way, in seconds, if the bus brings it back.
    """

    def __init__(
        self, hub: Hub, clock: Clock, voice: Voice, interval: float, numbers: Callable[[], tuple[int, int]]
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._voice = voice
        self._interval = interval
        self._numbers = numbers
        self._next_at = 0.0
        self._answered_at = float("-inf")
        self._is_answering = False
        self.started_at = clock.now()
        self.lag = 0.0

    def send_if_due(self) -> None:
        """Send a heartbeat, if it is time for one."""
        if self._clock.monotonic() >= self._next_at:
            self.send(hello=False)

    def send(self, *, hello: bool) -> None:
        """Send a heartbeat; with `hello` the other nodes answer it."""
        self._next_at = self._clock.monotonic() + self._interval
        number, topics = self._numbers()
        hub = self._hub
        heartbeat = Heartbeat(
            number=number,
            hello=hello,
            sent_at=self._clock.now(),
            host=socket.gethostname(),
            process=os.getpid(),
            version=__version__,
            started_at=self.started_at,
            connections=sum(hub.connection_count(app_id) for app_id in hub.app_ids()),
            channels=sum(len(hub.channels(app_id)) for app_id in hub.app_ids()),
            topics=topics,
            lag=self.lag,
        )
        self._voice.say(EVERYONE, envelope.HEARTBEAT, heartbeat)

    def answer(self) -> None:
        """Answer a request with a heartbeat: at once, or with one for all requests of a moment."""
        if self._is_answering:
            return
        wait = self._answered_at + ANSWER_PAUSE - self._clock.monotonic()
        if wait > 0:
            self._is_answering = True
            self._clock.call_later(wait, self._answer)
        else:
            self._answer()

    def heard(self, own: bytes) -> None:
        """Take a message of this node that the bus has brought back."""
        heartbeat = envelope.parse(own) if own[0] == envelope.HEARTBEAT else None
        if isinstance(heartbeat, Heartbeat):
            self.lag = max(0.0, self._clock.now() - heartbeat.sent_at)

    def _answer(self) -> None:
        self._is_answering = False
        self._answered_at = self._clock.monotonic()
        self.send(hello=False)
