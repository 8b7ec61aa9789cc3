"""Logging in to Kafka: what a client says in turn, for a password as it is and for one that is never sent (RFC 5802).

A login is a generator: it yields what is to be said and is sent what the broker answered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Generator
from typing import Final

Login = Generator[bytes, bytes, None]

MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
# A broker that asks for more would have this process do nothing else.
_MOST_ITERATIONS: Final = 200_000


class BadLoginError(ValueError):
    """The broker does not do its part of a login."""


def login(mechanism: str, username: str, password: str) -> Login:
    """Return the login of a mechanism."""
    if mechanism == "PLAIN":
        return _plain(username, password)
    return _scram(mechanism.removeprefix("SCRAM-").replace("-", "").lower(), username, password)


def _plain(username: str, password: str) -> Login:
    yield f"\0{username}\0{password}".encode()


def _scram(digest: str, username: str, password: str) -> Login:
    nonce = secrets.token_hex(16)
    name = username.replace("=", "=3D").replace(",", "=2C")
    first = f"n={name},r={nonce}"
    challenge = yield f"n,,{first}".encode()
    fields = _fields(challenge)
    try:
        salt, iterations = base64.b64decode(fields["s"], validate=True), int(fields["i"])
    except (KeyError, ValueError):
        raise BadLoginError("a challenge that cannot be read") from None
    if not fields.get("r", "").startswith(nonce) or not 0 < iterations <= _MOST_ITERATIONS:
        raise BadLoginError("a challenge that is not for this login")
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", digest)
    last = f"c=biws,r={fields['r']}"
    said = b"%b,%b,%b" % (first.encode(), challenge, last.encode())
    signature = hmac.digest(hashlib.new(digest, client_key).digest(), said, digest)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    answer = yield f"{last},p={base64.b64encode(proof).decode()}".encode()
    expected = hmac.digest(hmac.digest(salted, b"Server Key", digest), said, digest)
    # A broker that does not know the password cannot say this.
    if not hmac.compare_digest(_fields(answer).get("v", "").encode(), base64.b64encode(expected)):
        raise BadLoginError("a broker that does not know the password")


def _fields(message: bytes) -> dict[str, str]:
    return dict(part.split("=", 1) for part in message.decode("utf-8", "replace").split(",") if "=" in part)
