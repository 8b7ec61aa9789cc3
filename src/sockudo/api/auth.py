"""Authenticates requests of the HTTP API: checks the key, the timestamp, the MD5 of the body and the signature.

Source: Pusher docs, `library_auth_reference/rest-api` ("Authentication"). Official libraries differ in what they sign;
what is taken besides the text of that page: `body_md5` on GET requests (Python), a path signed without the configured
prefix (PHP) or without its trailing slash, and array parameters joined by commas.
"""

from __future__ import annotations

from typing import Final

from sockudo.api.messages import Request
from sockudo.apps.app import App
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.query import Query
from sockudo.pusher.signatures import is_same, request_string, signed_query

TOLERANCE: Final = 600

# Of a path in an answer.
_LONGEST_PATH: Final = 300

_BODY_MD5_MISSING: Final = "Authentication failed: body_md5 is required for a request with a body."

_AUTH_PARAMETERS: Final = ("auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5")


class Authenticator:
    """Checks that a request was made with the secret of the app that it acts on."""

    def __init__(self, path_prefix: str) -> None:
        self._path_prefix = path_prefix

    def authenticate(self, app: App, request: Request, path: str, query: Query, now: float) -> None:
        """Let a request pass that `app` may make; of one whose body is not there yet, the body is checked later.

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
        if request.is_whole:
            self.check_body(request, query)
        elif not params.get("body_md5"):
            raise RequestRejected(401, _BODY_MD5_MISSING)
        self._check_signature(app, request, path, query)
        if not app.enabled:
            raise RequestRejected(403, "Forbidden: Application is disabled.")

    def check_body(self, request: Request, query: Query) -> None:
        """Compare the body with the MD5 in the query, which is part of the signed text.

        Raises:
            RequestRejected: 401.
        """
        given = query.last.get("body_md5")
        if not given:
            if request.body:
                raise RequestRejected(401, _BODY_MD5_MISSING)
            return
        if not is_same(request.body_md5(), given.lower()):
            raise RequestRejected(401, "Authentication failed: body_md5 does not match the body.")

    def _check_signature(self, app: App, request: Request, path: str, query: Query) -> None:
        params = query.last.copy()
        signature = params.pop("auth_signature", None)
        if signature is None:
            raise RequestRejected(401, "Authentication failed: auth_signature is missing.")
        method, sent_path = request.method, request.path
        if app.signer.is_valid(request_string(method, sent_path, signed_query(params)), signature):
            return
        paths = self._paths(sent_path, path)
        for other_params in _readings(params, query):
            # Made once for all paths: sorting thousands of parameters takes longer than any HMAC.
            text = signed_query(other_params)
            for other_path in paths:
                if app.signer.is_valid(request_string(method, other_path, text), signature):
                    return
        raise RequestRejected(
            401, f"Authentication failed: Invalid signature. It was verified for {method} {path[:_LONGEST_PATH]}"
        ).about_signature(request_string(method, path, signed_query(params)))

    def _paths(self, sent_path: str, path: str) -> list[str]:
        """Return the paths that a client may have signed: as sent, normalised, and each without the prefix."""
        prefix = self._path_prefix
        paths = [sent_path, sent_path.removesuffix("/"), path]
        if prefix:
            paths += [one[len(prefix) :] for one in paths if one.startswith(prefix + "/")]
        return list(dict.fromkeys(paths))


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
