"""Ids of a request for the lines of the log that are about it.

They are read, or made, when a line is written and not before, so a request that nothing is logged about costs nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

# Other texts could be anything, a secret too; they are not taken over.
_SANE: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,119}")
# Source: W3C Trace Context, section 3.2. Later versions than 00 may append fields.
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)(?!00.{53}.)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?"
)


def request_ids(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return `request_id`, that of `X-Request-Id` or a new one, and `trace_id` and `span_id` of a `traceparent`."""
    request_id, trace = None, None
    for name, value in headers:
        match name.lower():
            case b"x-request-id" if request_id is None:
                request_id = _SANE.fullmatch(value)
            case b"traceparent" if trace is None:
                trace = _TRACEPARENT.fullmatch(value)
    ids = {"request_id": request_id[0].decode() if request_id else os.urandom(8).hex()}
    if trace is not None:
        ids |= {"trace_id": trace[1].decode(), "span_id": trace[2].decode()}
    return ids
