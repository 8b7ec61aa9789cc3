"""Authentication of the HTTP API.

Source: Pusher docs, `library_auth_reference/rest-api` ("Authentication"). Official libraries differ in what they sign;
what is taken besides the text of that page: `body_md5` on GET requests (Python), a path signed without the configured
prefix (PHP), and array parameters joined by commas.
"""

from __future__ import annotations

from typing import Final

from sockudo.api.messages import Request
from sockudo.apps.app import App
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.query import Query
from sockudo.pusher.signatures import body_md5, is_same, request_string

TOLERANCE: Final = 600

# Of a path in an answer.
_LONGEST_PATH: Final = 300

_AUTH_PARAMETERS: Final = ("auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5")


class Authenticator:
    """Checks that a request was made with the secret of the app that it acts on."""

    def __init__(self, path_prefix: str) -> None:
        self._path_prefix = path_prefix

    def authenticate(self, app: App, request: Request, path: str, query: Query, now: float) -> None:
        """Let a request pass that `app` may make.

        Args:
            app: the app that the path names.
            path: the request's path without a trailing slash, still percent-encoded.
            now: Unix seconds.

        Raises:
            RequestRejected: 400 (ambiguous query), 401, or 403 where the app is disabled.
        """
        params = query.last
        if not params:
            raise RequestRejected(
                401, "Authentication failed: query parameters auth_key, auth_timestamp, ... are missing."
            )
        for name in query.repeated:
            if name in _AUTH_PARAMETERS:
                raise RequestRejected(400, f"Invalid authentication query parameters: {name} is given more than once")
        # One key can never act on another app: the app comes from the path, and the key must be its own.
        if not is_same(app.key, params.get("auth_key", "")):
            raise RequestRejected(401, "Authentication failed: auth_key is missing or is not a key of this app.")
        _check_timestamp(params.get("auth_timestamp"), now)
        _check_body(params.get("body_md5"), request.body)
        self._check_signature(app, request.method, path, query)
        if not app.enabled:
            raise RequestRejected(403, "Forbidden: Application is disabled.")

    def _check_signature(self, app: App, method: str, path: str, query: Query) -> None:
        params = query.last.copy()
        signature = params.pop("auth_signature", None)
        if signature is None:
            raise RequestRejected(401, "Authentication failed: auth_signature is missing.")
        if app.signer.is_valid(request_string(method, path, params), signature):
            return
        for other_path in self._paths(path):
            for other_params in _readings(params, query):
                if app.signer.is_valid(request_string(method, other_path, other_params), signature):
                    return
        raise RequestRejected(
            401, f"Authentication failed: Invalid signature. It was verified for {method} {path[:_LONGEST_PATH]}"
        ).about_signature(request_string(method, path, params))

    def _paths(self, path: str) -> list[str]:
        prefix = self._path_prefix
        return [path, path[len(prefix) :]] if prefix and path.startswith(prefix) else [path]


def _readings(params: dict[str, str], query: Query) -> list[dict[str, str]]:
    """Return the ways in which libraries sign repeated parameters: the last value, all joined by commas, each with its
    name (Ruby)."""
    if not query.repeated:
        return [params]
    joined = {name: ",".join(values) for name, values in query.repeated.items()}
    each = {name: f"&{name}=".join(values) for name, values in query.repeated.items()}
    return [params, params | joined, params | each]


def _check_timestamp(text: str | None, now: float) -> None:
    if text is None:
        raise RequestRejected(401, "Authentication failed: auth_timestamp is missing.")
    # Bounded before int(), which is slow for thousands of digits.
    if len(text) > 20 or not (text.isascii() and text.isdigit()):
        raise RequestRejected(401, "Authentication failed: auth_timestamp is not a whole number of seconds.")
    if abs(int(now) - int(text)) > TOLERANCE:
        raise RequestRejected(
            401,
            f"Authentication failed: Timestamp expired: {text} is not within {TOLERANCE} s of the server's time, "
            f"{int(now)}.",
        )


def _check_body(given: str | None, body: bytes) -> None:
    if not given:
        if body:
            raise RequestRejected(401, "Authentication failed: body_md5 is required for a request with a body.")
        return
    if not is_same(body_md5(body), given.lower()):
        raise RequestRejected(401, "Authentication failed: body_md5 does not match the body.")
