"""Parses HTTP/1.1 requests with httptools, and applies limits before it keeps anything (RFC 9112).

The head is bounded while it arrives, the body by its declared length, and what comes between chunks and behind them by
its bytes. A body that is not small is taken only when the head of its request was accepted.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

import httptools

from sockudo.api.messages import Response
from sockudo.server.http import refusals
from sockudo.server.http.heads import without_upgrade
from sockudo.server.http.target import TargetError, origin_form
from sockudo.server.http.upload import Upload
from sockudo.server.timeouts import BODY_TIMEOUT, HEAD_TIMEOUT

MAX_HEAD_BYTES: Final = 16 * 1024

# Up to this size a body is taken with its head and refused with it, so that a refusal need not end the socket.
MAX_UNCHECKED_BODY: Final = 16 * 1024

# Parsed at once: of a body of declared length, and of anything else, which may be many requests or chunks.
_MAX_BODY_PART: Final = 64 * 1024
MAX_PART: Final = 4096

# What a request line has besides its URL: a method, two blanks, the version, the line end.
_REQUEST_LINE_BYTES: Final = 16

# A chunk may take three times its bytes on the wire, and 16 more. What is above that, and trailers, are limited.
_CHUNK_BYTES: Final = 16
_BYTES_ON_THE_WIRE: Final = 3

# How far a request has come: nothing of it, its first bytes, a part of its head, a part of its body.
NONE, _BEGUN, _HEAD, _BODY = range(4)


class HttpReader(asyncio.Protocol):
    """The half of a socket that reads. What a request is good for, and when the socket ends, the other half decides.

    Attributes:
        head_timeout: seconds until a head must be complete.
    """

    head_timeout: ClassVar[int] = HEAD_TIMEOUT

    __slots__ = (
        "_body",
        "_body_bytes",
        "_declared",
        "_fields",
        "_framing_bytes",
        "_head_bytes",
        "_head_done",
        "_headers",
        "_is_chunked",
        "_line_bytes",
        "_max_body_bytes",
        "_parser",
        "_replay",
        "_stage",
        "_upload",
        "_url",
    )

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._line_bytes = 0
        self._replay = b""
        self._headers: list[tuple[bytes, bytes]] = []
        # The headers of the request whose head is complete.
        self._fields = self._headers
        self._reset()

    # What the other half does

    def on_message_complete(self) -> None:
        """Take the request that has been read."""
        raise NotImplementedError

    def _refuse(self, response: Response) -> None:
        """Answer a request that is not read to its end, and read no further."""
        raise NotImplementedError

    def _is_refused(self) -> bool:
        """Tell whether a callback has stopped the parser on purpose; anything else is a mistake of our own."""
        raise NotImplementedError

    def _announce(self, *, expects: bool) -> Upload:
        """Have the head of a request checked whose body is, or may be, large; return what comes of it."""
        raise NotImplementedError

    def _expire_in(self, seconds: int) -> None:
        """Let the socket expire unless the request is complete by then."""
        raise NotImplementedError

    def _reset(self) -> None:
        self._stage = NONE
        self._url = b""
        if self._headers:
            self._headers = []
        self._body: bytes | bytearray = b""
        self._body_bytes = 0
        self._head_bytes = _REQUEST_LINE_BYTES
        self._head_done = False
        self._declared = 0
        self._is_chunked = False
        self._framing_bytes = 0
        self._upload: Upload | None = None

    def _feed(
        self, parser: httptools.HttpRequestParser, data: bytes | memoryview, replay: bytes = b""
    ) -> httptools.HttpParserUpgrade | httptools.HttpParserError | None:
        """Parse `data`, after `replay`; return what has stopped the parser, or None.

        What is returned is handled outside of any except block: it would become the context of every later error, and
        keep `data` by its traceback.
        """
        try:
            if replay:
                parser.feed_data(replay)
            parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            if not self._is_refused():
                raise
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as stopped:
            return stopped.with_traceback(None)
        else:
            if self._stage and not self._is_refused():
                self._unfinished(data)
        return None

    # The parser's callbacks

    def on_message_begin(self) -> None:
        self._stage = _BEGUN

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._stop(refusals.head_too_large(MAX_HEAD_BYTES))

    def on_header(self, name: bytes, value: bytes) -> None:
        # hot path
        self._headers.append((name, value))
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > MAX_HEAD_BYTES:
            self._stop(refusals.head_too_large(MAX_HEAD_BYTES))

    def on_headers_complete(self) -> None:
        # hot path
        assert self._parser is not None
        self._head_done = True
        self._fields = self._headers
        if not self._url.startswith(b"/"):
            self._take_origin_form()
        expects = self._read_fields()
        # What comes as a header from here on is a trailer, which is counted and no part of the request: a proxy in
        # front that vouches for a header has not looked at it (RFC 9110, section 6.5.1).
        self._headers = []
        # A head that asks for an upgrade and has a body is read again without the upgrade.
        if (self._declared > MAX_UNCHECKED_BODY or expects) and not self._parser.should_upgrade():
            self._check_head(expects=expects)

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        self._framing_bytes -= _CHUNK_BYTES + _BYTES_ON_THE_WIRE * len(body)
        if self._body_bytes > self._max_body_bytes:
            self._stop(refusals.body_too_large(self._max_body_bytes))
        if not self._body:
            self._body = body
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += body
        if self._upload is not None:
            self._grow(self._upload, body)
        elif self._body_bytes > MAX_UNCHECKED_BODY:
            self._check_head(expects=False)

    def _read_fields(self) -> bool:
        """Take from the header what concerns the body; return whether the peer waits to be told to send it."""
        hosts = 0
        expects = False
        for name, value in self._fields:
            size = len(name)
            if size == 4 and name.lower() == b"host":
                hosts += 1
            elif size == 14 and name.lower() == b"content-length":
                if len(value) > 18 or int(value) > self._max_body_bytes:
                    self._stop(refusals.body_too_large(self._max_body_bytes))
                self._declared = int(value)
            elif size == 17 and name.lower() == b"transfer-encoding":
                self._is_chunked = True
            elif size == 6 and name.lower() == b"expect" and value.lower() == b"100-continue":
                expects = True
        if hosts != 1 and (hosts or self._version() != "1.0"):
            # RFC 9112, section 3.2
            self._stop(refusals.malformed("there must be exactly one Host header"))
        return expects and (self._declared > 0 or self._is_chunked)

    def _take_origin_form(self) -> None:
        try:
            self._url = origin_form(self._url)
        except TargetError as problem:
            self._stop(refusals.malformed(str(problem)))

    def _check_head(self, *, expects: bool) -> None:
        """Have the head checked before any more of the body is taken; what has come of it counts."""
        upload = self._announce(expects=expects)
        if self._is_refused():
            raise _RequestRefusedError
        if self._body:
            self._grow(upload, bytes(self._body))

    def _grow(self, upload: Upload, part: bytes) -> None:
        if not upload.grow(part):
            self._stop(refusals.too_many_bodies(upload.limit))

    def _part_size(self) -> int:
        """Return how much may be parsed at once of what comes next."""
        if self._stage != _BODY or self._is_chunked:
            return MAX_PART
        return max(MAX_PART, min(self._declared - self._body_bytes, _MAX_BODY_PART))

    def _without_upgrade(self, parser: httptools.HttpRequestParser) -> bool:
        """Tell whether a request that asks for an upgrade has a body; if so, it will be read as if it did not ask.

        The parser takes a body behind such a head for bytes of the other protocol. They would become the next request.
        """
        head = without_upgrade(parser.get_method(), self._url, self._version(), self._fields)
        if head is None:
            return False
        self._replay = head
        self._reset()
        return True

    def _unfinished(self, data: bytes | memoryview) -> None:
        """Bound the size and the time of a request of which a part is still missing after `data`."""
        if not self._head_done:
            self._unfinished_head(bytes(data))
        elif self._stage != _BODY:
            self._stage = _BODY
            # How much of `data` is the head is not known.
            self._framing_bytes = 0
            self._expire_in(BODY_TIMEOUT)
        elif self._is_chunked:
            # The parser tells of chunks and of whole trailers; the rest it swallows, or keeps to itself.
            self._framing_bytes = max(0, self._framing_bytes + len(data))
            if self._framing_bytes > MAX_HEAD_BYTES:
                self._refuse(refusals.framing_too_large(MAX_HEAD_BYTES))

    def _unfinished_head(self, data: bytes) -> None:
        # The parser keeps an incomplete line to itself, so its bytes are counted as they come.
        newline = data.rfind(b"\n")
        if self._headers and newline >= 0:
            self._line_bytes = len(data) - newline - 1
        elif self._stage == _BEGUN:
            # It is not known where in `data` the request begins.
            self._line_bytes = 0
        else:
            self._line_bytes += len(data)
        if self._stage == _BEGUN:
            self._stage = _HEAD
            self._expire_in(self.head_timeout)
        if self._line_bytes > MAX_HEAD_BYTES:
            self._refuse(refusals.head_too_large(MAX_HEAD_BYTES))

    def _stop(self, response: Response) -> None:
        """Refuse the request from within a callback of the parser, which then parses no further."""
        self._refuse(response)
        raise _RequestRefusedError

    def _version(self) -> str:
        assert self._parser is not None
        return self._parser.get_http_version()


class _RequestRefusedError(Exception):
    """Stops the parser; the answer has been written."""
