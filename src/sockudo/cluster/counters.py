"""Counts messages of other nodes that this node could not take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sockudo.timing.histogram import Histogram

# Milliseconds.
ANSWER_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class ClusterCounters:
    """Totals since the start.

    Attributes:
        misunderstood: malformed messages; they were dropped.
        overflowed: messages that arrived faster than this node can take them; they were dropped.
        failed: messages that raised an exception in this node.
        cached_sent, cached_received: those of the events that every node keeps, because its channel is a cache channel.
        said_received: messages of other nodes that are no plain events.
        questions_sent: what this node has asked others: for a snapshot, or for an echo.
        questions_received: such questions of others.
        answers_received: answers of others.
        answered, unanswered: questions that were answered, and those that were not in their time.
        answer_times: milliseconds from a question to its answer.
    """

    events_sent: int = 0
    events_received: int = 0
    deltas_sent: int = 0
    deltas_received: int = 0
    snapshots_sent: int = 0
    snapshots_received: int = 0
    nodes_purged: int = 0
    misunderstood: int = 0
    overflowed: int = 0
    failed: int = 0
    cached_sent: int = 0
    cached_received: int = 0
    said_received: int = 0
    questions_sent: int = 0
    questions_received: int = 0
    answers_received: int = 0
    answered: int = 0
    unanswered: int = 0
    answer_times: Histogram = field(default_factory=lambda: Histogram(ANSWER_BOUNDS))

    def got_answer(self, seconds: float) -> None:
        """Note that a question was answered after so long."""
        self.answered += 1
        self.answer_times.add(seconds * 1000)
