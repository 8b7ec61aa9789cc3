"""Applies masking keys to payloads (RFC 6455, section 5.3)."""

from __future__ import annotations

from typing import Final

_NO_MASK: Final = b"\0\0\0\0"

_from_bytes: Final = int.from_bytes

# XOR with a constant byte, as a table for `bytes.translate`, for each value of a byte of the masking key.
_XOR_TABLES: Final = tuple(
    (_from_bytes(bytes(range(256)), "big") ^ _from_bytes(bytes((key,)) * 256, "big")).to_bytes(256, "big")
    for key in range(256)
)

# One XOR of two big integers takes 0.5 us for 120 bytes where four translated slices take 1.3; they meet at 4000
# bytes (7.5 us), and for 100 kB the slices take 200 us against 320.
_UNMASK_BY_SLICES_FROM: Final = 4096


def unmask(payload: bytes, key: bytes) -> bytes:
    """Return `payload` with `key` applied."""
    # hot path
    if key == _NO_MASK:
        return payload
    length = len(payload)
    if length < _UNMASK_BY_SLICES_FROM:
        mask = (key * (length // 4 + 1))[:length]
        return (_from_bytes(payload, "little") ^ _from_bytes(mask, "little")).to_bytes(length, "little")
    plain = bytearray(length)
    for i in range(4):
        plain[i::4] = payload[i::4].translate(_XOR_TABLES[key[i]])
    return bytes(plain)
