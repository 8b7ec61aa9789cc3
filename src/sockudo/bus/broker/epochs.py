"""Which connection a message was published on, so that one from a former connection is not heard after newer ones.

A broker that froze goes on with what it had already read from connections that are long gone, perhaps after it took
messages from the new one. So a node gives each connection an epoch, and those who hear drop what comes from an epoch
before the newest that they heard of. A label is `<node>.<epoch>`, ASCII, and different in every process.
"""

from __future__ import annotations

import os
from typing import Final

_MOST_NODES: Final = 10_000
_LONGEST_LABEL: Final = 64


class Epochs:
    """The epochs of this node and those that it hears of.

    Attributes:
        label: of this node's present connection.
        current: the newest label of every node heard of; looking a label up here is all that a message costs.
    """

    def __init__(self) -> None:
        self._node = os.urandom(6).hex().encode()
        self._epoch = 0
        self._newest: dict[bytes, int] = {}
        self.label = b"%b.0" % self._node
        self.current: set[bytes] = set()
        self.stale = 0

    def begin(self) -> None:
        """Begin a new epoch, with a new connection."""
        self._epoch += 1
        self.label = b"%b.%d" % (self._node, self._epoch)

    def admits(self, label: bytes) -> bool:
        """Say whether a message with this label may be heard, and remember the epoch where it is new."""
        if label in self.current:
            return True
        node, _, text = label.partition(b".")
        # What is no label was published by something else, which may be heard.
        if not text.isdigit() or len(text) > 9 or len(label) > _LONGEST_LABEL:
            return True
        epoch, newest = int(text), self._newest.get(node)
        if newest is not None and epoch < newest:
            self.stale += 1
            return False
        if newest is not None:
            self.current.discard(b"%b.%d" % (node, newest))
        elif len(self._newest) >= _MOST_NODES:
            oldest = next(iter(self._newest))
            self.current.discard(b"%b.%d" % (oldest, self._newest.pop(oldest)))
        self._newest[node] = epoch
        self.current.add(label)
        return True
