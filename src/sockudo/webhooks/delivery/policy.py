"""Decides when the queue tries a failed delivery again, and when it gives the delivery up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from sockudo.queues.base import Delivery, Failed, Outcome, Retry

# Libraries refuse a webhook that is older than 300 s; the last attempt must arrive before that.
GIVE_UP: Final = 290.0
# Pauses are this much shorter or longer, so that the endpoints of one receiver do not get all requests at once.
_JITTER: Final = 0.1
# An event that took longer to reach the queue has a time that receivers would soon refuse.
_FRESH: Final = 10.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """1, 2, 4, 8 ... seconds between attempts.

    Attributes:
        max_attempts: attempts in all.
    """

    max_attempts: int = 9

    def after_failure(self, delivery: Delivery, reason: str, now: float) -> Outcome:
        """Return the outcome of a failed attempt: a retry or the end (`now`: Unix seconds)."""
        if delivery.attempt >= self.max_attempts:
            return Failed(f"{reason} (attempt {delivery.attempt}, the last)")
        pause = 2.0 ** (delivery.attempt - 1) * random.uniform(1 - _JITTER, 1 + _JITTER)
        if now + pause >= delivery.accepted_at + GIVE_UP:
            return Failed(f"{reason} (attempt {delivery.attempt}, {GIVE_UP:g} s are over)")
        return Retry(pause)


def is_too_late(delivery: Delivery, now: float) -> bool:
    """Return whether a job has waited too long for another attempt."""
    return now >= delivery.accepted_at + GIVE_UP


def body_time_ms(event_ms: int, accepted_at: float) -> int:
    """Return the `time_ms` of a body: the time of its first event, or of its acceptance if that was much later.

    The latter holds for jobs that an operator tries again, and for events that waited for a broker.
    """
    accepted_ms = int(accepted_at * 1000)
    return event_ms if accepted_ms - event_ms <= _FRESH * 1000 else accepted_ms
