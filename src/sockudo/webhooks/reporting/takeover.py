"""Takes over the pending transitions of the other nodes when this node joins them, or comes back to them.

`settling` decides when to ask, `handover` moves the answers, and this decides which answer counts. An answer is
reliable if its sender was there before this node, or has its list from one that was; the first such answer ends the
wait.
"""

from __future__ import annotations

from typing import Final, Protocol

from sockudo.cluster.messages.state import Report, Reports, Verb
from sockudo.cluster.peers import Peers
from sockudo.cluster.replication.remote_work import CostedSteps
from sockudo.timing.clock import Clock
from sockudo.webhooks.reporting.handover import Handover
from sockudo.webhooks.reporting.pending import Key
from sockudo.webhooks.reporting.settling import Settling, SettlingTimes

# Transitions from before a node came have been reported by then.
_RELIABLE_AFTER: Final = 60.0


class Adopter(Protocol):
    """The owner of this node's pending transitions."""

    def start_over(self) -> None:
        """Forget this node's own pending transitions, because an answer replaces them."""

    def adopt(self, key: Key, report: Report) -> None:
        """Take a transition that another node has pending."""

    def resume(self) -> None:
        """Go on with all waiting transitions."""


class Takeover:
    """Tracks whether this node knows the pending transitions, and whether its list is reliable for others."""

    def __init__(self, peers: Peers, clock: Clock, times: SettlingTimes, handover: Handover, adopter: Adopter) -> None:
        self._peers = peers
        self._clock = clock
        self._times = times
        self._handover = handover
        self._adopter = adopter
        self._settling = Settling(peers, clock, times, self._ask, self._settled)
        self._answer: Reports | None = None
        self._is_adopting = False
        self._has_settled = False
        self._reliable_from = float("inf")
        self._has_begun = False
        self._born_at = clock.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether this node may report: it has the pending transitions of the others."""
        return self._settling.is_over and not self._is_adopting

    @property
    def has_begun(self) -> bool:
        """Whether this node has joined the others."""
        return self._has_begun

    def begin(self) -> None:
        """Begin, because this node has joined the others."""
        self._has_begun = True
        self._settling.begin(0.0)

    def met(self, *, is_older: bool) -> None:
        """Begin anew if this node is young and meets one that was there before it."""
        if self._has_begun and is_older and self._clock.monotonic() - self._born_at < self._times.youth:
            self._settling.begin(self._times.hello)

    def rejoined(self) -> None:
        """Begin anew, because this node was cut off from the others."""
        self._settling.begin(self._times.hello)

    def stop(self) -> None:
        """Ask no other node any more."""
        self._settling.stop()

    def asked(self, node_id: str, said: Reports) -> None:
        """Answer a node that asks for pending transitions, if this node knows them."""
        if self._has_begun and self.is_over and self._peers.is_healthy:
            self._handover.answer(node_id, {node_id, *said.nodes}, self._is_reliable)

    def answered(self, node_id: str, said: Reports) -> None:
        """Take a message of another node's answer."""
        if not self._settling.has_asked:
            return
        answer = self._handover.heard(node_id, said)
        if answer is None:
            return
        # A node that comes back knows more than one that has just started.
        if answer.is_reliable or not self._has_settled:
            self._answer = answer
        if answer.is_reliable:
            self._settling.end()

    def _is_reliable(self) -> bool:
        return self._clock.monotonic() >= self._reliable_from

    def _ask(self) -> None:
        self._peers.report(Verb.ASK, [])

    def _settled(self) -> None:
        """Go on with the pending transitions of the others, or with this node's own if no other has answered."""
        answer, self._answer = self._answer, None
        self._handover.forget()
        is_reliable = self._peers.is_alone if answer is None else answer.is_reliable
        self._is_adopting = True
        if answer is not None:
            self._adopter.start_over()
        self._handover.run("adopt", self._adopting([] if answer is None else answer.reports, is_reliable=is_reliable))

    def _adopting(self, reports: list[Report], *, is_reliable: bool) -> CostedSteps:
        yield from self._handover.adopt(reports, self._adopter.adopt)
        self._is_adopting = False
        self._reliable_from = self._clock.monotonic() + (0.0 if is_reliable else _RELIABLE_AFTER)
        self._has_settled = True
        self._adopter.resume()
