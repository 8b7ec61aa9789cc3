"""Heads of publishes that need no parser, since it has read the same bytes before.

A back end sends the same header fields with each publish, byte for byte, apart from the length of the body. The rules:

* A request came whole, alone in one read, and was published the quick way (`api/quick_events.py`). So its signature was
  right: who has no secret fills nothing here.
* What comes between the target and the body is kept then, with the length of the body that it tells.
* A later read that is a target, the same bytes, and a body of that length is the same request with another target and
  body. Both are checked by the quick way again; what it does not take is read by the parser.

The number of heads is bounded, and so is their length. The oldest one makes room.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from sockudo.api.messages import Request

Fields: TypeAlias = Sequence[tuple[bytes, bytes]]

_METHOD: Final = b"POST "
_VERSION: Final = b" HTTP/1.1\r\n"
_END: Final = b"\r\n\r\n"

MAX_HEADS: Final = 512
MAX_HEAD_BYTES: Final = 1024


class KnownRequest(NamedTuple):
    """A request with a known head: its target, its body, its header fields."""

    target: bytes
    body: bytes
    fields: Fields

    def request(self, peer: str | None) -> Request:
        """Return the request as a value."""
        path, _, query = self.target.decode("ascii").partition("?")
        return Request("POST", path, query, self.fields, self.body, peer)


class KnownHeads:
    """Remembers heads."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, Fields]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, data: bytes) -> KnownRequest | None:
        """Return the request that a read is; None where it is not one request with a known head."""
        # hot path
        if data[:5] != _METHOD:
            return None
        blank = data.find(_VERSION, 5)
        # The version of the protocol belongs to what is known.
        start = data.find(_END, blank) + 4
        known = self._known.get(data[blank:start])
        if known is None or len(data) - start != known[0]:
            return None
        return KnownRequest(data[5:blank], data[start:], known[1])

    def learn(self, data: bytes, target: bytes, body_bytes: int, fields: Fields) -> None:
        """Remember the head of a request that the parser has read, if the read is this request and nothing else."""
        blank = len(_METHOD) + len(target)
        start = len(data) - body_bytes
        head = data[blank:start]
        is_whole = data.startswith(_METHOD + target + _VERSION) and head.find(_END) == len(head) - len(_END)
        if not is_whole or len(head) > MAX_HEAD_BYTES:
            return
        if len(self._known) >= MAX_HEADS:
            del self._known[next(iter(self._known))]
        self._known[head] = body_bytes, fields
