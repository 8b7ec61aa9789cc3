"""Bytes as they come, put together until there is something whole to be parsed."""

from __future__ import annotations


class ChunkReader:
    """Subclass it for a protocol: `parse` takes what is whole.

    A part of a message is kept in the chunks that came, so that a long one is copied once and not with every chunk.
    """

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._held = 0
        self._needed = 0

    def feed(self, data: bytes) -> None:
        """Take what was read; raises BadBytesError where it is not of this protocol."""
        # hot path
        if self._chunks:
            self._chunks.append(data)
            self._held += len(data)
            if self._held < self._needed:
                return
            data = b"".join(self._chunks)
        consumed, needed = self.parse(data)
        rest = data[consumed:]
        self._chunks = [rest] if rest else []
        self._held = len(rest)
        self._needed = needed - consumed

    def parse(self, data: bytes) -> tuple[int, int]:
        """Take what is whole; return how much that is, and how much must be there before it is worth another look.

        Raises:
            BadBytesError: what came is not of this protocol.
        """
        raise NotImplementedError
