"""Labels messages with the connection that published them, so that nodes drop messages of former connections.

A broker that froze goes on with what it had already read from closed connections, perhaps after it took messages from
the new one. So a node gives each connection an epoch, and receivers drop messages of an epoch before the newest one
that they know. A label is `<node>.<epoch>`, ASCII, and different in every process.
"""

from __future__ import annotations

import os
from typing import Final

_MOST_NODES: Final = 10_000
_LONGEST_LABEL: Final = 64


class Epochs:
    """The epochs of this node and of the nodes that it receives from.

    Attributes:
        label: the label of this node's present connection.
        current: the newest label of every known node; an ordinary message costs one look-up here.
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
        """Return whether a message with this label is not stale, and remember the epoch if it is new."""
        if label in self.current:
            return True
        node, _, text = label.partition(b".")
        # A message without a label comes from another program, and passes.
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
