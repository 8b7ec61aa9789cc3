"""HTTP requests and responses as values, without a socket."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from sockudo.pusher.errors import RequestRejected

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"


class Request:
    """One request, read whole.

    Attributes:
        method: upper-case.
        path: as sent, still percent-encoded, without the query.
        query: as sent, without `?`.
        headers: names as sent, values without surrounding blanks.
        peer: the address of the other end, or None where there is none (unix sockets).
    """

    __slots__ = ("body", "headers", "method", "path", "peer", "query")

    def __init__(
        self,
        method: str,
        path: str,
        query: str = "",
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        peer: str | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.peer = peer

    def header(self, name: bytes) -> str | None:
        """Return the value of the first header with this (lower-case) name, or None."""
        for key, value in self.headers:
            if key.lower() == name:
                return value.decode("latin-1")
        return None

    def header_list(self, name: bytes) -> str | None:
        """Return every value of a (lower-case) header, joined by commas as RFC 9110, section 5.3 has it, or None."""
        values = [value.decode("latin-1") for key, value in self.headers if key.lower() == name]
        return ",".join(values) if values else None


class Response:
    """One answer. `headers` come besides Content-Type and Content-Length, which follow from the rest."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        *,
        content_type: str = JSON,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers

    def with_headers(self, *headers: tuple[str, str]) -> Response:
        """Return this answer with more headers."""
        return Response(self.status, self.body, content_type=self.content_type, headers=self.headers + headers)


EMPTY_OBJECT: Final = Response(200, b"{}")


def json_response(value: object, status: int = 200) -> Response:
    """Return `value` as JSON."""
    return Response(status, msgspec.json.encode(value))


def error_response(status: int, message: str, *headers: tuple[str, str]) -> Response:
    """Return `{"error": message, "code": status}`, the body of every error."""
    body = msgspec.json.encode({"error": message or HTTPStatus(status).phrase, "code": status})
    return Response(status, body, headers=headers)


def rejection_response(rejected: RequestRejected) -> Response:
    """Return the answer to a request that was refused."""
    if rejected.retry_after is None:
        return error_response(rejected.status, rejected.message)
    return error_response(rejected.status, rejected.message, ("Retry-After", str(rejected.retry_after)))
