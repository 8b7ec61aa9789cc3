"""Counts the checks of rate limits since the start, by what they were for; the metrics read these plain integers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Checks:
    """Totals of one kind of request.

    Attributes:
        checks: requests that a limit was looked up for.
        triggered: those that were refused because they were too many.
        unanswered: those that could not be counted, because the store was away; they were refused or admitted.
    """

    checks: int = 0
    triggered: int = 0
    unanswered: int = 0


@dataclass(slots=True)
class RateLimitCounters:
    """Totals by context, as metrics name them. Health probes have no limit, so theirs stay 0."""

    websocket_upgrade: Checks = field(default_factory=Checks)
    http_api: Checks = field(default_factory=Checks)
    health_check: Checks = field(default_factory=Checks)
    other: Checks = field(default_factory=Checks)
