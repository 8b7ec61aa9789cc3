"""Times how a node that joins the others, or comes back to them, learns which transitions are pending.

Its own list is wrong then: everything that it learns from the others looks like a transition, although it was reported
long ago. So the node waits until it knows everything that they have, asks which transitions are pending, and reports
nothing before an answer. If no node answers in time, all of them have just started, and its own list is as good as any.
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
        hello: how long the others take to introduce themselves.
        sync: the longest time until this node knows everything that they have.
        answer: how long an answer may take.
        youth: how long after its start a node may meet others that were there before it.
        missed: after how long the others report the channels and members of a silent node as gone.
    """

    hello: float = 0.3
    sync: float = 5.0
    answer: float = 1.0
    youth: float = 10.0
    missed: float = 30.0


class Others(Protocol):
    """The other nodes, as `Settling` needs them."""

    is_alone: bool

    @property
    def is_synced(self) -> bool:
        """Whether this node knows everything that they have."""
        ...


class Settling:
    """Decides when to ask the others, and when this node may report.

    Attributes:
        is_over: this node may report transitions.
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
        """Whether this node waits for an answer."""
        return self._asked_at is not None

    def begin(self, wait: float) -> None:
        """Begin anew; do not ask for `wait` seconds."""
        self.is_over = False
        self._begun_at, self._wait, self._asked_at = self._clock.monotonic(), wait, None
        self._check()

    def end(self) -> None:
        """Note that an answer has come, or that none will."""
        self.stop()
        self.is_over, self._asked_at = True, None
        self._done()

    def stop(self) -> None:
        """Cancel the timer, and change nothing else."""
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
