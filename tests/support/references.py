"""Who still holds an object."""

from __future__ import annotations

import gc
from types import FrameType


def holders(thing: object) -> list[object]:
    """Return every object known to the collector that refers to `thing`; frames, which are the test's, left out."""
    gc.collect()
    return [one for one in gc.get_referrers(thing) if not isinstance(one, FrameType)]
