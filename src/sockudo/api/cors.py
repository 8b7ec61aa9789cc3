"""Decides which CORS headers a response carries (Fetch standard, "HTTP CORS protocol")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sockudo.api.messages import Request, Response

Headers = tuple[tuple[str, str], ...]

_ANY: Final = frozenset({"*", "Any", "any"})
_VARY: Final = ("Vary", "origin, access-control-request-method, access-control-request-headers")
_EXPOSED: Final = ("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


class Cors:
    """Which origins may read answers, and what they may send.

    Attributes:
        common: the headers that every answer has, whatever the request.
        looks_at_requests: whether an answer's headers depend on its request.
    """

    def __init__(
        self, origins: Sequence[str], methods: Sequence[str], allowed_headers: Sequence[str], *, credentials: bool
    ) -> None:
        self._origins = frozenset(origins)
        self._allows_any = bool(self._origins & _ANY)
        exposed = ("Access-Control-Expose-Headers", ",".join(_EXPOSED))
        self.common: Headers = (_VARY, exposed)
        if self._allows_any:
            self.common = (("Access-Control-Allow-Origin", "*"), *self.common)
        self.looks_at_requests = bool(self._origins) and not self._allows_any
        # A browser takes no credentials together with "*".
        self._credentials: Headers = (
            (("Access-Control-Allow-Credentials", "true"),)
            if credentials and self._origins and not self._allows_any
            else ()
        )
        self._preflight: Headers = (
            ("Access-Control-Allow-Methods", ",".join(methods)),
            ("Access-Control-Allow-Headers", ",".join(header.lower() for header in allowed_headers)),
        )

    def for_request(self, request: Request) -> Headers:
        """Return the headers that this request's answer has besides the common ones."""
        if not self.looks_at_requests:
            return ()
        origin = request.header(b"origin")
        if origin is None or origin not in self._origins:
            return self._credentials
        return (("Access-Control-Allow-Origin", origin), *self._credentials)

    def preflight(self) -> Response:
        """Return the answer to an OPTIONS request."""
        return Response(200, headers=self._preflight)
