"""Cuts messages that are longer than a bus takes into pieces, and joins the pieces again.

A piece carries a label of ASCII digits and dots, `<message>.<index>.<count>`, beside its data and the name of its node;
the driver decides where they go (a header, a reply subject). The bus keeps the order of what one node publishes to one
topic, so the pieces of one message arrive in order, perhaps with those of other nodes between them. Where one piece is
missing, the others are dropped: a message arrives whole or not at all.
"""

from __future__ import annotations

from typing import Final

# An event batch has some megabytes at most; a longer message is a mistake.
LONGEST_MESSAGE: Final = 64 * 1024 * 1024
# The most incomplete messages at once. A node that died in the middle of one leaves it behind.
_MOST_OPEN: Final = 64
# The most bytes of all of them together; the oldest makes room.
MOST_OPEN_BYTES: Final = 2 * LONGEST_MESSAGE


class Splitter:
    """Cuts the messages of one node."""

    def __init__(self) -> None:
        self._count = 0

    def split(self, data: bytes, size: int) -> list[tuple[bytes, bytes]]:
        """Cut `data` into pieces of at most `size` bytes, each with its label."""
        self._count += 1
        total = -(-len(data) // size)
        return [
            (b"%d.%d.%d" % (self._count, index, total), data[index * size : (index + 1) * size])
            for index in range(total)
        ]


class _Open:
    """A message of which some pieces have come."""

    __slots__ = ("bytes", "pieces")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.bytes = 0


class Assembler:
    """Joins the pieces that arrive at one node.

    Attributes:
        dropped: dropped pieces and incomplete messages.
        bytes: the size of all pieces that wait for others.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, bytes, bytes], _Open] = {}
        self.dropped = 0
        self.bytes = 0

    def add(self, topic: str, node: bytes, label: bytes, data: bytes) -> bytes | None:
        """Take one piece of a message of a node; return the message once it is whole."""
        try:
            message, index_text, total_text = label.split(b".")
            index, total = int(index_text), int(total_text)
        except ValueError:
            self.dropped += 1
            return None
        key = (topic, node, message)
        if index == 0:
            self._close(key)
            self._open[key] = _Open()
        found = self._open.get(key)
        too_long = found is not None and found.bytes + len(data) > LONGEST_MESSAGE
        if found is None or index != len(found.pieces) or index >= total or too_long:
            # The first pieces were published before this node joined, or the bus lost some.
            self._close(key)
            self.dropped += 1
            return None
        found.pieces.append(data)
        found.bytes += len(data)
        self.bytes += len(data)
        if len(found.pieces) < total:
            self._make_room()
            return None
        self._close(key)
        return b"".join(found.pieces)

    def clear(self) -> None:
        """Forget incomplete messages, when the bus was lost."""
        self._open.clear()
        self.bytes = 0

    def _close(self, key: tuple[str, bytes, bytes]) -> None:
        found = self._open.pop(key, None)
        if found is not None:
            self.bytes -= found.bytes

    def _make_room(self) -> None:
        while len(self._open) > _MOST_OPEN or self.bytes > MOST_OPEN_BYTES:
            self._close(next(iter(self._open)))
            self.dropped += 1
