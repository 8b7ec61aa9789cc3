"""HTTP requests and responses as values, without a socket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import ClassVar, Final

import msgspec

from sockudo.api.request_ids import request_ids
from sockudo.eventual import Eventual, then
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.signatures import body_md5
from sockudo.ratelimit.base import Decision

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"


class Request:
    """One request, read whole.

    Attributes:
        is_whole: whether the body is there.
        method: upper-case.
        path: as sent, still percent-encoded, without the query.
        query: as sent, without `?`.
        headers: names as sent, values without surrounding blanks.
        peer: the address of the other end, or None where there is none (unix sockets).
    """

    # `_ids` is set when a line of the log asks for it.
    __slots__ = ("_ids", "body", "headers", "method", "path", "peer", "query")

    is_whole: ClassVar[bool] = True

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

    _ids: dict[str, str]

    def ids(self) -> dict[str, str]:
        """Return the ids of this request for the log, the same for every line."""
        try:
            return self._ids
        except AttributeError:
            self._ids = request_ids(self.headers)
            return self._ids

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

    def body_md5(self) -> str:
        """Return the hex MD5 of the body."""
        return body_md5(self.body)


class RequestHead(Request):
    """A request whose body is not there yet. The answer `Accepted` accepts it; any other answer refuses it.

    Attributes:
        md5: the hex MD5 of the body, which whoever reads the body sets with it.
    """

    __slots__ = ("md5",)

    is_whole = False
    md5: str

    def body_md5(self) -> str:
        """Return the hex MD5 of the body, which was computed while it came."""
        return self.md5


class Response:
    """One answer.

    Attributes:
        headers: those besides Content-Type and Content-Length, which follow from the rest.
        decision: of the rate limit that counted the request, which the answer tells in headers of its own.
    """

    __slots__ = ("body", "content_type", "decision", "headers", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        *,
        content_type: str = JSON,
        headers: tuple[tuple[str, str], ...] = (),
        decision: Decision | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self.decision = decision

    def with_headers(self, *headers: tuple[str, str]) -> Response:
        """Return this answer with more headers."""
        return Response(
            self.status,
            self.body,
            content_type=self.content_type,
            headers=self.headers + headers,
            decision=self.decision,
        )

    def with_decision(self, decision: Decision | None) -> Response:
        """Return this answer, which tells what a rate limit decided."""
        return Response(self.status, self.body, content_type=self.content_type, headers=self.headers, decision=decision)

    def fields(self) -> tuple[tuple[str, str], ...]:
        """Return the headers, and those of the rate limit; Reset is in seconds from now."""
        decision = self.decision
        if decision is None or not decision.is_counted:
            return self.headers
        return (
            *self.headers,
            ("X-RateLimit-Limit", str(decision.limit)),
            ("X-RateLimit-Remaining", str(decision.remaining)),
            ("X-RateLimit-Reset", str(decision.reset_after)),
        )


class Accepted(Response):
    """The interim answer to a `RequestHead`: its body may come."""

    __slots__ = ("_finish",)

    def __init__(
        self,
        finish: Callable[[], Eventual[Response]],
        headers: tuple[tuple[str, str], ...] = (),
        decision: Decision | None = None,
    ) -> None:
        super().__init__(100, headers=headers, decision=decision)
        self._finish = finish

    def with_headers(self, *headers: tuple[str, str]) -> Accepted:
        """Return this answer, whose final answer has more headers."""
        return Accepted(self._finish, self.headers + headers, self.decision)

    def with_decision(self, decision: Decision | None) -> Accepted:
        """Return this answer, whose final answer tells what a rate limit decided."""
        return Accepted(self._finish, self.headers, decision)

    def finish(self) -> Eventual[Response]:
        """Return the final answer; the request must have its body."""
        return then(self._finish(), self.final)

    def final(self, response: Response) -> Response:
        """Return a final answer with the headers that every answer to this request has."""
        if self.decision is not None:
            response = response.with_decision(self.decision)
        return response.with_headers(*self.headers) if self.headers else response


EMPTY_OBJECT: Final = Response(200, b"{}")


class Published(Response):
    """The answer to a publish that a rate limit has counted: `EMPTY_OBJECT`, which tells the decision."""

    __slots__ = ()

    def __init__(self, decision: Decision) -> None:
        # Written out: this is made for every publish.
        self.status = 200
        self.body = EMPTY_OBJECT.body
        self.content_type = JSON
        self.headers = ()
        self.decision = decision


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
