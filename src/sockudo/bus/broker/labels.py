"""Labels of messages on a broker: the epoch of the sender's connection, and which piece of a longer message this is.

A label is ASCII, `<node>.<epoch>`, with `.<message>.<index>.<count>` for a piece; see `epochs.py` and `pieces.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from sockudo.bus.broker.epochs import Epochs
from sockudo.bus.broker.pieces import Assembler, Splitter


class Labels:
    """Writes the labels of this node, and reads those of other nodes.

    Attributes:
        own: the label of messages that this node publishes now.
        current: labels of whole messages that pass unchanged; most messages cost one look-up here.
    """

    def __init__(self) -> None:
        self._epochs = Epochs()
        self._splitter = Splitter()
        self._assembler = Assembler()
        self.own = self._epochs.label
        self.current = self._epochs.current

    def begin(self) -> None:
        """Begin a new epoch, with a new connection."""
        self._epochs.begin()
        self._assembler.clear()
        self.own = self._epochs.label

    def split(self, data: bytes, size: int) -> Iterator[tuple[bytes, bytes]]:
        """Cut a message into pieces of at most `size` bytes, each with its label."""
        for label, piece in self._splitter.split(data, size):
            yield b"%b.%b" % (self.own, label), piece

    def take(self, topic: str, label: bytes, data: bytes) -> bytes | None:
        """Return the whole message; None if it is stale, or this piece is not its last."""
        node, _, rest = label.partition(b".")
        epoch, _, piece = rest.partition(b".")
        if not self._epochs.admits(b"%b.%b" % (node, epoch)):
            return None
        return self._assembler.add(topic, node, piece, data) if piece else data
