"""Keeps the newest write of each key until the store confirms it, so that it can be repeated after a loss.

Writes are bounded by their number and their bytes. The oldest makes room first; it is lost only if its own write fails
too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator


class Write:
    """One write of a key.

    Attributes:
        value: the new value; None deletes the key.
        expires: when the value ends (the loop's time); infinity for one that stays.
        has_failed: the write failed, and waits for the store to come back.
        is_kept: whether it is among the unconfirmed writes, so that it is repeated if it fails.
        made_room: it is not kept because there were too many, and not because a newer one replaced it.
    """

    __slots__ = ("expires", "has_failed", "is_kept", "made_room", "value")

    def __init__(self, value: bytes | None, expires: float) -> None:
        self.value = value
        self.expires = expires
        self.has_failed = False
        self.is_kept = False
        self.made_room = False

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return len(self.value) if self.value is not None else 0


class Unconfirmed:
    """At most `max_writes` writes with `max_bytes` of names and values, oldest first."""

    __slots__ = ("_bytes", "_max_bytes", "_max_writes", "_writes")

    def __init__(self, max_writes: int, max_bytes: int) -> None:
        self._max_writes = max_writes
        self._max_bytes = max_bytes
        self._writes: OrderedDict[bytes, Write] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._writes)

    def put(self, name: bytes, write: Write) -> int:
        """Keep the newest write of a key; return how many failed writes were dropped to make room for it."""
        older = self._writes.pop(name, None)
        if older is not None:
            self._leave(name, older)
        self._writes[name] = write
        write.is_kept = True
        self._bytes += len(name) + write.size
        given_up = 0
        while len(self._writes) > self._max_writes or self._bytes > self._max_bytes:
            oldest, gone = self._writes.popitem(last=False)
            self._leave(oldest, gone)
            gone.made_room = True
            given_up += gone.has_failed
        return given_up

    def confirm(self, name: bytes, write: Write) -> None:
        """Forget a write; do nothing if it is not kept any more."""
        if write.is_kept:
            del self._writes[name]
            self._leave(name, write)

    def failed(self) -> Iterator[tuple[bytes, Write]]:
        """Return the writes that wait for the store to come back, oldest first."""
        return iter([(name, write) for name, write in self._writes.items() if write.has_failed])

    def _leave(self, name: bytes, write: Write) -> None:
        write.is_kept = False
        self._bytes -= len(name) + write.size
