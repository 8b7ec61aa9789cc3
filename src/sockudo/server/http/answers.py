"""Encodes HTTP/1.1 responses as bytes (RFC 9112)."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from sockudo.api.messages import EMPTY_OBJECT, Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Answers:
    """Writes responses, each with a Date and the headers that every answer of this server has.

    The answer to a publish is made once a second and not once a request.
    """

    def __init__(self, common_headers: Iterable[tuple[str, str]], now: float) -> None:
        self._common = "".join([f"{name}: {value}\r\n" for name, value in common_headers])
        self._date = ""
        self._empty_object = b""
        self.renew(now)

    def renew(self, now: float) -> None:
        """Take the Unix time `now` for the Date of the answers to come; to be called once a second."""
        # RFC 9110, section 6.6.1: an origin server with a clock sends Date.
        self._date = f"Date: {formatdate(now, usegmt=True)}\r\n"
        self._empty_object = self._encode(EMPTY_OBJECT, keep_alive=True, head_only=False)

    def encode(self, response: Response, *, keep_alive: bool, head_only: bool = False) -> bytes:
        """Return a response as bytes; with `head_only` without its body, as for HEAD."""
        if response.body is EMPTY_OBJECT.body and response.status == 200 and keep_alive and not head_only:
            if response is EMPTY_OBJECT:
                return self._empty_object
            # What a rate limit tells comes behind the rest.
            fields = "".join([f"{name}: {value}\r\n" for name, value in response.headers])
            return b"%b%b\r\n{}" % (self._empty_object[:-4], fields.encode("latin-1"))
        return self._encode(response, keep_alive=keep_alive, head_only=head_only)

    def _encode(self, response: Response, *, keep_alive: bool, head_only: bool) -> bytes:
        body = response.body
        head = self.head(response, len(body), keep_alive=keep_alive)
        return head if head_only else head + body

    def head(self, response: Response, size: int, *, keep_alive: bool) -> bytes:
        """Return the head of a response whose body has this size."""
        lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"]
        if size:
            lines.append(f"Content-Type: {response.content_type}\r\n")
        lines.append(f"Content-Length: {size}\r\n{self._date}{self._common}")
        lines += [f"{name}: {value}\r\n" for name, value in response.headers]
        if not keep_alive:
            lines.append("Connection: close\r\n")
        lines.append("\r\n")
        return "".join(lines).encode("latin-1")
