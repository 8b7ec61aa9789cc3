"""Numbers on messages, by which a receiver recognises messages that are late or that it has heard before.

The servers of one shard also pass messages on to each other. When a replica takes over, its subscribers may hear
messages again that the old master has passed on already. A master that hung and wakes up passes on messages from long
ago. Redis does not prevent that; this driver does.
"""

from __future__ import annotations

import os
from typing import Final

_SENDER: Final = 8
_HEADER: Final = 16
# Bounds the memory: the filter remembers this many pairs of sender and topic, at most twice as many.
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
    """Lets a message through that is newer than every earlier one of its sender on its topic."""

    def __init__(self) -> None:
        self.dropped = 0
        self._recent: dict[tuple[bytes, str], bytes] = {}
        self._older: dict[tuple[bytes, str], bytes] = {}

    def accept(self, topic: str, data: bytes) -> bytes | None:  # hot path
        """Return the message without its stamp; None where it is late or carries no stamp."""
        key, number = (data[:_SENDER], topic), data[_SENDER:_HEADER]
        last = self._recent.get(key)
        if last is None:
            last = self._older.get(key, b"")
            if len(self._recent) >= _MOST:
                self._older, self._recent = self._recent, {}
        # Numbers have one length, so they compare like their bytes. Data too short for a stamp has an empty number.
        if number <= last:
            self.dropped += 1
            return None
        self._recent[key] = number
        return data[_HEADER:]
