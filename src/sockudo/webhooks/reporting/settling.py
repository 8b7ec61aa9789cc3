"""How a node that joins the others, or comes back to them, learns what is pending.

Its own list is no good then: whatever it learns from the others looks like a transition, although it was reported long
ago. So it waits until it knows everything that they have, asks what is pending, and reports nothing before it has an
answer. Where nobody answers in time, they all have just come, and its own list is as good as any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from sockudo.timing.clock import Clock, Handle

_STEP: Final = 0.05


@dataclass(frozen=True, slots=True)
class SettlingTimes:
    """Seconds.

    Attributes:
        hello: how long the others take to make themselves known.
        sync: how long at most it takes until everything is known that they have.
        answer: how long an answer may take.
        youth: how long after its start a node may meet others that were there before it.
        missed: after how long the others report that what a silent node has is gone.
    """

    hello: float = 0.3
    sync: float = 5.0
    answer: float = 1.0
    youth: float = 10.0
    missed: float = 30.0


class Others(Protocol):
    """What must be known of the other nodes."""

    is_alone: bool

    @property
    def is_synced(self) -> bool:
        """Whether everything is known that they have."""
        ...


class Settling:
    """Says when to ask, and when it is over.

    Attributes:
        is_over: transitions may be reported.
    """

    def __init__(
        self,
        others: Others,
        clock: Clock,
        times: SettlingTimes,
        ask: Callable[[], None],
        done: Callable[[], None],
    ) -> None:
        self.is_over = False
        self._others = others
        self._clock = clock
        self._times = times
        self._ask = ask
        self._done = done
        self._begun_at = 0.0
        self._asked_at: float | None = None
        self._wait = 0.0
        self._timer: Handle | None = None

    @property
    def has_asked(self) -> bool:
        """Whether an answer is awaited."""
        return self._asked_at is not None

    def begin(self, wait: float) -> None:
        """Begin anew; it is not asked for `wait` seconds."""
        self.is_over = False
        self._begun_at, self._wait, self._asked_at = self._clock.monotonic(), wait, None
        self._check()

    def end(self) -> None:
        """Note that there is an answer, or that there will be none."""
        self.stop()
        self.is_over, self._asked_at = True, None
        self._done()

    def stop(self) -> None:
        """Leave everything as it is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self.stop()
        now = self._clock.monotonic()
        if self._asked_at is not None:
            if now - self._asked_at >= self._times.answer:
                self.end()
                return
        elif now - self._begun_at >= self._wait:
            if self._others.is_alone:
                self.end()
                return
            if self._others.is_synced or now - self._begun_at >= self._times.sync:
                self._asked_at = now
                self._ask()
        self._timer = self._clock.call_later(_STEP, self._check)
