"""Keys of NATS users: a seed (`SU...`) signs the nonce of a server (the NATS documentation, "NKeys").

A key as text is Base32 of a prefix, 32 bytes and their CRC-16. The prefix of a seed is two bytes: five bits for "seed",
then eight for the kind of its owner.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from binascii import crc_hqx
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SEED: Final = 18 << 3
_USER: Final = 20 << 3
_LENGTH: Final = 2 + 32 + 2


class UserKey:
    """The key pair of a user."""

    __slots__ = ("_key",)

    def __init__(self, seed: str) -> None:
        """Read a seed.

        Raises:
            ValueError: the text is not the seed of a user. The message never quotes it.
        """
        self._key = Ed25519PrivateKey.from_private_bytes(_secret_of(seed.strip()))

    @property
    def public_key(self) -> str:
        """The public key, by which the server knows the user (`U...`)."""
        data = bytes((_USER,)) + self._key.public_key().public_bytes_raw()
        return b32encode(data + _checksum(data)).decode().rstrip("=")

    def sign(self, data: bytes) -> bytes:
        """Return the 64 bytes of an Ed25519 signature."""
        return self._key.sign(data)


def _secret_of(seed: str) -> bytes:
    try:
        data = b32decode(seed + "=" * (-len(seed) % 8))
    except ValueError:
        raise ValueError("not Base32") from None
    body, checksum = data[:-2], data[-2:]
    if len(data) != _LENGTH or _checksum(body) != checksum:
        raise ValueError("not a whole key")
    if body[0] & 0xF8 != _SEED or (body[0] & 7) << 5 | body[1] >> 3 != _USER:
        raise ValueError("not the seed of a user")
    return body[2:]


def _checksum(data: bytes) -> bytes:
    return crc_hqx(data, 0).to_bytes(2, "little")
