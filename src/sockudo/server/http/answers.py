"""Encodes HTTP/1.1 responses as bytes (RFC 9112)."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from sockudo.api.messages import EMPTY_OBJECT, Published, Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Answers:
    """Writes responses, each with a Date and the headers that every answer of this server has.

    The answer to a publish is made once a second and not once a request; what a rate limit tells is put behind it.
    """

    def __init__(self, common_headers: Iterable[tuple[str, str]], now: float) -> None:
        self._common = "".join([f"{name}: {value}\r\n" for name, value in common_headers])
        self._date = ""
        self._empty_object = self._empty_head = b""
        self.renew(now)

    def renew(self, now: float) -> None:
        """Take the Unix time `now` for the Date of the answers to come; to be called once a second."""
        # RFC 9110, section 6.6.1: an origin server with a clock sends Date.
        self._date = f"Date: {formatdate(now, usegmt=True)}\r\n"
        self._empty_object = self._encode(EMPTY_OBJECT, keep_alive=True, head_only=False)
        self._empty_head = self._empty_object[: -len(b"\r\n{}")]

    def encode(self, response: Response, *, keep_alive: bool, head_only: bool = False) -> bytes:
        """Return a response as bytes; with `head_only` without its body, as for HEAD."""
        # hot path
        if keep_alive and not head_only:
            if response is EMPTY_OBJECT:
                return self._empty_object
            decision = response.decision
            if type(response) is Published and decision is not None and decision.is_counted:
                # The same as `Response.fields`.
                return b"%bX-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: %d\r\n\r\n{}" % (
                    self._empty_head,
                    decision.limit,
                    decision.remaining,
                    decision.reset_after,
                )
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
        lines += [f"{name}: {value}\r\n" for name, value in response.fields()]
        if not keep_alive:
            lines.append("Connection: close\r\n")
        lines.append("\r\n")
        return "".join(lines).encode("latin-1")
