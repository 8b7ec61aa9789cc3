"""Sends the pending transitions to a node that joins, and collects the answers of other nodes.

Both sides work in slices, so that hundreds of thousands of channels, or thousands of transitions, delay no other work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Final

from sockudo.cluster.messages.state import Report, Reports, Verb
from sockudo.cluster.peers import Peers
from sockudo.cluster.replication.remote_work import CostedSteps, RemoteWork
from sockudo.log import get_logger
from sockudo.timing.clock import Clock
from sockudo.webhooks.reporting.pending import Key, Pending, Transition
from sockudo.webhooks.reporting.reports import key_of, report_of

_log = get_logger("sockudo.webhooks")

# The most transitions of one answer, and the most nodes whose answers are collected at once.
MOST_PENDING: Final = 10_000
MOST_ANSWERS: Final = 64
# The transitions of one step.
_AT_ONCE: Final = 50
_STEP: Final = 10


class Handover:
    """Answers nodes that ask for pending transitions, and collects the answers to this node.

    Args:
        sending: the transitions on their way to the queue.
        has_webhooks: returns whether an app has webhooks, or may have some.
    """

    def __init__(
        self,
        pending: Pending,
        sending: Mapping[Key, Transition],
        peers: Peers,
        clock: Clock,
        has_webhooks: Callable[[str], bool],
    ) -> None:
        self._pending = pending
        self._sending = sending
        self._peers = peers
        self._clock = clock
        self._has_webhooks = has_webhooks
        self._work = RemoteWork(clock, self._failed)
        # Incomplete answers, by node.
        self._incomplete: dict[str, list[Report]] = {}

    def run(self, lane: str, steps: CostedSteps) -> None:
        """Do work in slices."""
        self._work.run(lane, steps)

    def answer(self, node_id: str, known: set[str], is_reliable: Callable[[], bool]) -> None:
        """Send the pending transitions to a node that knows only the nodes `known`."""
        lane = f"answer {node_id}"
        if not self._work.is_busy(lane):
            self._work.run(lane, self._answering(node_id, known, is_reliable))

    def heard(self, node_id: str, said: Reports) -> Reports | None:
        """Take a message of a node's answer; return the whole answer with the last one."""
        if node_id not in self._incomplete and len(self._incomplete) >= MOST_ANSWERS:
            return None
        reports = self._incomplete.setdefault(node_id, [])
        reports += said.reports[: MOST_PENDING - len(reports)]
        if said.has_more:
            return None
        del self._incomplete[node_id]
        return Reports(said.verb, reports, said.nodes, said.is_reliable)

    def forget(self) -> None:
        """Drop incomplete answers."""
        self._incomplete.clear()

    def adopt(self, reports: list[Report], adopt: Callable[[Key, Report], None]) -> CostedSteps:
        """Hand on the reports of an answer."""
        for number, report in enumerate(reports):
            adopt(key_of(report), report)
            if number % _AT_ONCE == 0:
                yield _STEP

    def _answering(self, node_id: str, known: set[str], is_reliable: Callable[[], bool]) -> CostedSteps:
        found: list[Report] = []
        for number, report in enumerate(self._all_pending(known)):
            if report is not None:
                found.append(report)
                if len(found) >= MOST_PENDING:
                    break
            if number % _AT_ONCE == 0:
                yield _STEP
        self._peers.report(Verb.PENDING, found, node_id, is_reliable=is_reliable())

    def _all_pending(self, known: set[str]) -> Iterator[Report | None]:
        """Yield the pending changes for a node that knows only the nodes `known`; None for a little work.

        A node that is not `known` may have died, before the others have noticed. To receivers its channels are occupied
        and its members present, and only this answer tells the new node of them.
        """
        for key, transition in list(islice(chain(self._sending.items(), self._pending), MOST_PENDING)):
            yield report_of(key, transition)
        strangers = set(self._peers.node_ids()) - known
        if not strangers:
            return
        now = self._clock.now()
        for held in self._peers.replica.held_by(strangers):
            if held is None:
                yield None
            elif held not in self._pending and held not in self._sending and self._has_webhooks(held[0]):
                yield report_of(held, Transition(is_there=False, since=now, due=0.0, next_look=0.0))

    @staticmethod
    def _failed(error: Exception) -> None:
        _log.error("webhook handover failed", exc_info=error)
