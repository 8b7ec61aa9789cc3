"""Stores and reads the last event of each cache channel.

A cache that only this node has is read when a client subscribes. A cache that all nodes share is asked before. The node
keeps its answer for a second, so one request serves all clients that subscribe together. A newer event replaces the
answer. So events must arrive from before the question until the node forgets the answer, whether the channel has a
subscriber or not.

An event is in the cache before it is on the bus. The node uses the cache's answer only after every message that the bus
held at that time has arrived. Otherwise a subscriber could get an event twice: from the cache and from the bus.

Source: Pusher docs, `using_channels/cache-channels`.
"""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

import msgspec

from sockudo.cache.base import Cache, Cached
from sockudo.cluster.local import NoPeers
from sockudo.cluster.peers import Peers
from sockudo.eventual import Eventual, Future, then
from sockudo.log import get_logger
from sockudo.timing.clock import Clock
from sockudo.websocket.relayed import is_utf8

_log = get_logger("sockudo.node.cached_events")

# How long what a shared cache has said is used.
_FRESH: Final = 1.0


class CachedEvent(NamedTuple):
    """An event that is kept.

    Attributes:
        payload: the event as its subscribers got it, UTF-8 JSON.
        ttl: whole seconds that it will be kept.
    """

    payload: bytes
    ttl: int

    @property
    def data(self) -> str:
        """The event's data."""
        return msgspec.json.decode(self.payload, type=_Payload).data


class _Payload(msgspec.Struct, gc=False):
    data: str


class _Question:
    """What a shared cache is asked, or has just said, about one channel."""

    __slots__ = ("answer", "app_id", "channel", "event", "is_overtaken")

    def __init__(self, app_id: str, channel: str) -> None:
        self.app_id = app_id
        self.channel = channel
        # Done when the event can be used; None from then on.
        self.answer: Future[None] | None = None
        self.event: CachedEvent | None = None
        # An event has come after the question was put.
        self.is_overtaken = False


class CachedEvents:
    """Keeps and finds the last event of a cache channel.

    Attributes:
        is_shared: every node finds what one of them keeps.
    """

    def __init__(self, cache: Cache, ttl: float, clock: Clock, peers: Peers | None = None) -> None:
        self._cache = cache
        self._ttl = ttl
        self._clock = clock
        self._peers: Peers = peers or NoPeers()
        self._questions: dict[str, _Question] = {}
        self.is_shared = cache.is_shared

    def is_asking(self, app_id: str, channel: str) -> bool:
        """Whether a shared cache is being asked about a channel, or what it said is still used."""
        return _key(app_id, channel) in self._questions

    def keep(self, app_id: str, channel: str, payload: bytes) -> Eventual[None]:
        """Keep an event in place of the one before; a future is done when all nodes find it, and does not fail."""
        kept = self._cache.set(_key(app_id, channel), payload, self._ttl)
        self.heard(app_id, channel, payload)
        return kept

    def heard(self, app_id: str, channel: str, payload: bytes) -> None:
        """Note an event that is in the shared cache now."""
        if not self._questions:
            return
        question = self._questions.get(_key(app_id, channel))
        if question is not None:
            question.event = CachedEvent(payload, int(self._ttl))
            question.is_overtaken = True

    def find(self, app_id: str, channel: str) -> Eventual[CachedEvent | None]:
        """Return the event that is kept, or None; a future fails with `DriverError`."""
        return then(self._cache.get(_key(app_id, channel)), _event)

    def prepare(self, app_id: str, channel: str) -> Future[None] | None:
        """See to it that `recall` can answer: None where it can, else a future for when it can, which never fails.

        The channel's events must arrive at this node by then.
        """
        if not self.is_shared:
            return None
        key = _key(app_id, channel)
        question = self._questions.get(key)
        if question is not None:
            return question.answer
        found = self._cache.get(key)
        question = self._questions[key] = _Question(app_id, channel)
        if isinstance(found, Future):
            question.answer = found.get_loop().create_future()
            found.add_done_callback(partial(self._answered, question))
        else:
            self._answered_with(question, found)
        return question.answer

    def recall(self, app_id: str, channel: str) -> CachedEvent | None:
        """Return the event that is kept, right after `prepare` was done."""
        if self.is_shared:
            question = self._questions.get(_key(app_id, channel))
            return None if question is None else question.event
        found = self._cache.get(_key(app_id, channel))
        return None if isinstance(found, Future) else _event(found)

    def _answered(self, question: _Question, done: Future[Cached | None]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            _log.warning("cached event unavailable: the cache cannot be read", error=str(error))
        self._answered_with(question, None if done.cancelled() or error is not None else done.result())

    def _answered_with(self, question: _Question, found: Cached | None) -> None:
        """Use what the cache has said, once nothing of it can arrive any more."""
        if not question.is_overtaken:
            question.event = _event(found)
        arriving = None if question.event is None else self._peers.join(question.app_id, question.channel)
        if arriving is None:
            self._settle(question)
        else:
            arriving.add_done_callback(lambda _: self._settle(question))

    def _settle(self, question: _Question) -> None:
        answer, question.answer = question.answer, None
        self._clock.call_later(_FRESH, partial(self._forget, question))
        if answer is not None and not answer.done():
            answer.set_result(None)

    def _forget(self, question: _Question) -> None:
        del self._questions[_key(question.app_id, question.channel)]
        self._peers.release(question.app_id, question.channel)


def _event(cached: Cached | None) -> CachedEvent | None:
    if cached is None:
        return None
    if not _is_event(cached.value):
        # Another program has written it; clients could not read it.
        _log.warning("cached event ignored: it is not the JSON of an event", bytes=len(cached.value))
        return None
    return CachedEvent(cached.value, cached.ttl)


def _is_event(payload: bytes) -> bool:
    try:
        msgspec.json.decode(payload, type=_Payload)
    except (ValueError, RecursionError):
        return False
    return is_utf8(payload)


def _key(app_id: str, channel: str) -> str:
    # The original's key, so that a cache shared with it stays readable.
    return f"app:{app_id}:channel:{channel}:cache_miss"
