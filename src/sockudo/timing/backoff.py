"""The delays between attempts to reconnect."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

FIRST_DELAY: Final = 0.1
# Nodes must agree again within the node timeout and two seconds after the bus is back, however long it was lost.
LONGEST_DELAY: Final = 1.0


def delays() -> Iterator[float]:
    """Yield the delays, for ever: doubling, and scattered so that the nodes of a cluster do not come back at once."""
    delay = FIRST_DELAY
    while True:
        yield delay * random.uniform(0.5, 1.0)
        delay = min(delay * 2, LONGEST_DELAY)
