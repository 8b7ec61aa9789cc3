"""Counts delivery attempts, and tells the followers of `sockudo webhooks tail`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from sockudo.cluster.messages.state import Delivered

Listener: TypeAlias = Callable[[Delivered], None]
"""Takes an attempt; returns at once."""


@dataclass(slots=True)
class DeliveryCounters:
    """Totals of this process since its start: attempts by their result, and events that arrived."""

    delivered: int = 0
    retried: int = 0
    failed: int = 0
    events: int = 0
