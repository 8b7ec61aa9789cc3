"""Numbers on messages, by which a receiver knows what is late or was heard before.

The servers of one shard tell each other what was published, beside what they tell their subscribers. When a replica
takes over, a subscriber who follows it may hear from it once more what the old master had said already; and a master
that hung and wakes up passes on what was published to it long ago. Redis promises nothing there, we do.
"""

from __future__ import annotations

import os
from typing import Final

_SENDER: Final = 8
_HEADER: Final = 16
# Bounds the memory: what is remembered of the past are so many senders times topics, or twice that.
_MOST: Final = 50_000


class Stamper:
    """Numbers the messages of one adapter."""

    def __init__(self) -> None:
        self._sender = os.urandom(_SENDER)
        self._number = 0

    def stamp(self, data: bytes) -> bytes:  # hot path
        """Put sender and number before a message."""
        self._number += 1
        return b"%b%b%b" % (self._sender, self._number.to_bytes(_HEADER - _SENDER, "big"), data)


class LateFilter:
    """Lets through what is newer than all that was heard of the same sender on the same topic."""

    def __init__(self) -> None:
        self.dropped = 0
        self._recent: dict[tuple[bytes, str], bytes] = {}
        self._older: dict[tuple[bytes, str], bytes] = {}

    def accept(self, topic: str, data: bytes) -> bytes | None:  # hot path
        """Return the message without its stamp, or None if it is late or is none of ours."""
        key, number = (data[:_SENDER], topic), data[_SENDER:_HEADER]
        last = self._recent.get(key)
        if last is None:
            last = self._older.get(key, b"")
            if len(self._recent) >= _MOST:
                self._older, self._recent = self._recent, {}
        # Numbers are of one length, so they compare like their bytes; what is too short for a stamp has none.
        if number <= last:
            self.dropped += 1
            return None
        self._recent[key] = number
        return data[_HEADER:]
