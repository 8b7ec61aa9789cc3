"""Messages that are longer than a bus takes: cut into pieces, and put together again.

A piece carries a label of ASCII digits and dots, `<message>.<index>.<count>`, beside its data and the name of its node;
where they go (a header, a reply subject) is the driver's business. The bus keeps the order of what one node publishes
to one topic, so the pieces of one message arrive in order, perhaps with those of other nodes between them. Pieces of
which one is missing are dropped: a message arrives whole or not at all.
"""

from __future__ import annotations

from typing import Final

# An event batch is at most some megabytes; what is longer is a mistake.
LONGEST_MESSAGE: Final = 64 * 1024 * 1024
# Messages that may be under way at once. A node that died in the middle of one leaves it behind.
_MOST_OPEN: Final = 64


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


class Assembler:
    """Puts the pieces together that arrive at one node."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, bytes, bytes], list[bytes]] = {}
        self.dropped = 0

    def add(self, topic: str, node: bytes, label: bytes, data: bytes) -> bytes | None:
        """Take one piece of a message of a node; returns the message once it is whole."""
        try:
            message, index_text, total_text = label.split(b".")
            index, total = int(index_text), int(total_text)
        except ValueError:
            self.dropped += 1
            return None
        key = (topic, node, message)
        if index == 0:
            self._make_room()
            self._open[key] = []
        pieces = self._open.get(key)
        if pieces is None or index != len(pieces) or index >= total or self._too_long(pieces, data):
            # The first pieces were published before this node joined, or the bus lost some.
            self._open.pop(key, None)
            self.dropped += 1
            return None
        pieces.append(data)
        if len(pieces) < total:
            return None
        del self._open[key]
        return b"".join(pieces)

    def clear(self) -> None:
        """Forget what is incomplete, when the bus was lost."""
        self._open.clear()

    def _make_room(self) -> None:
        if len(self._open) >= _MOST_OPEN:
            del self._open[next(iter(self._open))]
            self.dropped += 1

    @staticmethod
    def _too_long(pieces: list[bytes], data: bytes) -> bool:
        # All pieces but the last are of one length, so this adds nothing up.
        return bool(pieces) and len(pieces) * len(pieces[0]) + len(data) > LONGEST_MESSAGE
