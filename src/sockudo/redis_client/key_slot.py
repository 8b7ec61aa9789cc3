"""The slot of a key in a Redis Cluster (the Redis Cluster specification, "Key distribution model")."""

from __future__ import annotations

from binascii import crc_hqx
from typing import Final

SLOTS: Final = 16384


def key_slot(key: bytes) -> int:
    """Return the slot of a key, 0 to 16383. Of `user:{42}:name` only the part in braces counts, unless it is empty."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key, 0) % SLOTS
