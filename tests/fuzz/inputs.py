"""How the bytes of a fuzzer become the pieces that a target is fed with, and back, for the corpus."""

from __future__ import annotations

from collections.abc import Iterable


def pieces(data: bytes) -> list[bytes]:
    """Return the pieces of an input: each has a byte with its length before it; the last may be shorter."""
    found: list[bytes] = []
    position = 0
    while position < len(data):
        end = position + 1 + data[position]
        found.append(data[position + 1 : end])
        position = end
    return found


def joined(parts: Iterable[bytes]) -> bytes:
    """Return the input that has these pieces; a longer one than 255 bytes becomes several."""
    short = (part[start : start + 255] for part in parts for start in range(0, max(len(part), 1), 255))
    return b"".join(bytes([len(part)]) + part for part in short)
