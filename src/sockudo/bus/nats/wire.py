"""The wire protocol of NATS without I/O: a parser for what a server sends, names of subjects, commands.

The protocol is lines of text that end in CRLF; a message is a line with its length and then its bytes. A driver needs
MSG, PING, PONG, INFO, +OK and -ERR; CONNECT switches headers off, so HMSG never comes.
See https://docs.nats.io/reference/reference-protocols/nats-protocol.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from sockudo.bus.broker.chunks import ChunkReader
from sockudo.bus.broker.connection import BadBytesError

# The most that NATS itself allows, whatever the configuration of a server.
LONGEST_PAYLOAD: Final = 64 * 1024 * 1024
# INFO of a large cluster names every server of it.
LONGEST_LINE: Final = 1024 * 1024

# The separator, wildcards and the ends of a name. `%` starts an escape; a lone one stands for the empty text.
_UNUSABLE: Final = re.compile(rb"[\x00-\x20\x7f.*>%]")


class NatsParser(ChunkReader):
    """Turns bytes, however they are cut, into calls, in order.

    `message` takes the subscription, the reply subject (empty if there is none) and the payload of a message;
    `command` the verb in capitals and the rest of any other line.
    """

    def __init__(self, message: Callable[[bytes, bytes, bytes], None], command: Callable[[bytes, bytes], None]) -> None:
        super().__init__()
        self._message = message
        self._command = command

    def parse(self, data: bytes) -> tuple[int, int]:
        """Take whole lines and messages."""
        # hot path; servers put one space between words.
        position, length = 0, len(data)
        while position < length:
            end = data.find(b"\r\n", position)
            if end < 0:
                if length - position > LONGEST_LINE:
                    raise BadBytesError("a line without an end")
                return position, length + 1
            words = data[position:end].split(b" ")
            if words[0] != b"MSG":
                self._command(words[0].upper(), b" ".join(words[1:]))
                position = end + 2
                continue
            try:
                size = int(words[-1])
            except ValueError:
                size = -1
            if not 0 <= size <= LONGEST_PAYLOAD or not 4 <= len(words) <= 5:
                raise BadBytesError("a message without a length")
            start = end + 2
            stop = start + size
            if stop + 2 > length:
                return position, stop + 2
            if not data.startswith(b"\r\n", stop):
                raise BadBytesError("a message that is longer than announced")
            self._message(words[2], words[3] if len(words) == 5 else b"", data[start:stop])
            position = stop + 2
        return position, position


def encode_token(text: str) -> bytes:
    """Encode any text as one token of a subject, so that different texts are different tokens."""
    raw = text.encode("utf-8", "surrogatepass")
    return _UNUSABLE.sub(_escape, raw) or b"%"


def encode_prefix(prefix: str) -> bytes:
    """Encode the prefix of all subjects; its dots stay, so that permissions of a server can name a part of it."""
    return b".".join(encode_token(token) for token in prefix.split("."))


def _escape(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match[0][0]
