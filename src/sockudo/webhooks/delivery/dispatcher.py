"""Turns events into jobs: finds the endpoints of each event, and batches events for one request.

Nothing here waits. An event goes into the batch of each endpoint that wants it; when the time of a batch is over, or
it is full, it goes to the queue as one job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Final

from sockudo.apps.app import App
from sockudo.apps.webhook import Webhook, endpoints
from sockudo.queues.base import Queue
from sockudo.timing.clock import Clock, Handle
from sockudo.webhooks.base import Sent
from sockudo.webhooks.delivery.job import encode_job, lane_of

# The most events of a request; with more, a receiver could not handle it in time.
MAX_EVENTS: Final = 100
MAX_BYTES: Final = 128 * 1024
# The bytes of a job besides its events.
_ROOM: Final = 2048


@dataclass(slots=True)
class DispatcherCounters:
    """Totals since the start."""

    events: int = 0
    jobs: int = 0
    refused: int = 0


class _Waiting:
    """The callback of an event, which waits until the queue has the jobs of all its endpoints."""

    __slots__ = ("_is_accepted", "_left", "_sent")

    def __init__(self, sent: Sent, endpoints: int) -> None:
        self._sent = sent
        self._left = endpoints
        self._is_accepted = False

    def done(self, is_accepted: bool) -> None:
        self._is_accepted |= is_accepted
        self._left -= 1
        if not self._left:
            self._sent(self._is_accepted)


class _EndpointBatch:
    """Events for one endpoint, in order. An event with the key of an earlier one replaces it, at the end."""

    __slots__ = ("app_id", "events", "size", "trace", "waiting", "webhook_id")

    def __init__(self, app_id: str, webhook_id: str) -> None:
        self.app_id = app_id
        self.webhook_id = webhook_id
        # With the times at which they happened.
        self.events: dict[object, tuple[bytes, int]] = {}
        self.size = 0
        self.trace: str | None = None
        self.waiting: list[_Waiting] = []

    def add(self, key: object, event: bytes, time_ms: int) -> None:
        replaced, _ = self.events.pop(key, (b"", 0))
        self.events[key] = event, time_ms
        self.size += len(event) - len(replaced) + (not replaced)

    def as_job(self) -> bytes:
        first_ms = next(time_ms for _, time_ms in self.events.values())
        events = (event for event, _ in self.events.values())
        return encode_job(self.app_id, self.webhook_id, first_ms, events, self.trace)


class Dispatcher:
    """Collects events and pushes them.

    Args:
        duration: how long events are collected, in seconds; None if each is a request of its own.

    Attributes:
        trace: returns the trace context of the cause of an event, where tracing is on.
    """

    def __init__(self, queue: Queue, clock: Clock, duration: float | None) -> None:
        self.counters = DispatcherCounters()
        self.trace: Callable[[], str | None] | None = None
        self._queue = queue
        self._clock = clock
        self._duration = duration
        self._max_events = MAX_EVENTS if duration is not None else 1
        self._max_bytes = min(MAX_BYTES, queue.max_job_bytes - _ROOM)
        self._batches: dict[str, _EndpointBatch] = {}
        self._timer: Handle | None = None
        self._numbers = count()
        self._pushes: set[asyncio.Future[None]] = set()

    @property
    def unaccepted(self) -> int:
        """The number of jobs that the queue has not accepted yet."""
        return len(self._pushes)

    def send(
        self,
        app: App,
        name: str,
        channel: str | None,
        event: bytes,
        time_ms: int,
        sent: Sent | None = None,
        *,
        replaces: object = None,
    ) -> bool:
        """Send an event to the endpoints that want it; return False, without a call of `sent`, if none does.

        Args:
            replaces: the event replaces one of the same batch with the same value here.
        """
        found = list(endpoints(app.webhooks, name, channel))
        if not found:
            return False
        self.counters.events += 1
        waiting = None if sent is None else _Waiting(sent, len(found))
        key = next(self._numbers) if replaces is None else replaces
        for webhook in found:
            self._add(app, webhook, key, event, time_ms, waiting)
        return True

    def flush(self) -> None:
        """Push the collected events."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batches, self._batches = self._batches, {}
        for lane, batch in batches.items():
            self._push(lane, batch)

    async def accepted(self, seconds: float) -> None:
        """Push the collected events, and wait up to `seconds` for the queue to accept or refuse them."""
        self.flush()
        # The queue in memory accepts them at once, and its futures are done in the next tick.
        await asyncio.sleep(0)
        if self._pushes:
            await asyncio.wait(self._pushes, timeout=seconds)

    def _add(
        self, app: App, webhook: Webhook, key: object, event: bytes, time_ms: int, waiting: _Waiting | None
    ) -> None:
        lane = lane_of(app.id, webhook.id)
        batch = self._batches.get(lane)
        if batch is not None and batch.size + len(event) > self._max_bytes:
            self._push(lane, self._batches.pop(lane))
            batch = None
        if batch is None:
            batch = self._batches[lane] = _EndpointBatch(app.id, webhook.id)
        batch.add(key, event, time_ms)
        if self.trace is not None and batch.trace is None:
            batch.trace = self.trace()
        if waiting is not None:
            batch.waiting.append(waiting)
        if len(batch.events) >= self._max_events:
            self._push(lane, self._batches.pop(lane))
        elif self._timer is None and self._duration is not None:
            self._timer = self._clock.call_later(self._duration, self.flush)

    def _push(self, lane: str, batch: _EndpointBatch) -> None:
        self.counters.jobs += 1
        pushed = self._queue.push(lane, batch.as_job())
        self._pushes.add(pushed)
        pushed.add_done_callback(partial(self._pushed, batch.waiting))

    def _pushed(self, waiting: list[_Waiting], pushed: asyncio.Future[None]) -> None:
        self._pushes.discard(pushed)
        # The queue has counted and logged the jobs that it did not take.
        is_accepted = not pushed.cancelled() and pushed.exception() is None
        self.counters.refused += not is_accepted
        for one in waiting:
            one.done(is_accepted)
