"""Collects the bytes of a connection until a parser has a whole message."""

from __future__ import annotations


class ChunkReader:
    """Subclass it for a protocol: `parse` takes whole messages.

    It keeps part of a message as a list of chunks, so that a long message is copied once and not with every chunk.
    """

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._held = 0
        self._needed = 0

    def feed(self, data: bytes) -> None:
        """Take bytes of the connection; raise BadBytesError if they are not of this protocol."""
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
        """Take whole messages; return how many bytes they have, and how many must be there for the next call.

        Raises:
            BadBytesError: the bytes are not of this protocol.
        """
        raise NotImplementedError
