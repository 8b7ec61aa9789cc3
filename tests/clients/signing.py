"""What client and server libraries sign, written down a second time from the protocol's documentation."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote


def sign(text: str, secret: str) -> str:
    """Return the hex HMAC-SHA256 of a text."""
    return hmac.digest(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha256").hex()


def signed_params(
    method: str,
    path: str,
    params: Mapping[str, str],
    *,
    key: str,
    secret: str,
    timestamp: int,
    body: bytes = b"",
) -> dict[str, str]:
    """Return every query parameter of a request, the signature last."""
    signed = {"auth_key": key, "auth_timestamp": str(timestamp), "auth_version": "1.0"} | dict(params)
    if body:
        signed.setdefault("body_md5", hashlib.md5(body).hexdigest())
    by_name = {name.lower(): value for name, value in signed.items()}
    text = "&".join(f"{name}={by_name[name]}" for name in sorted(by_name))
    return signed | {"auth_signature": sign(f"{method}\n{path}\n{text}", secret)}


def query_string(params: Mapping[str, str]) -> str:
    """Return parameters as a query, each value escaped."""
    return "&".join(f"{quote(name, safe='[]')}={quote(value, safe='')}" for name, value in params.items())
