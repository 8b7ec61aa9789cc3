"""The quick way of `POST /apps/ID/events`, for requests as the official libraries send them.

It takes a request, or leaves it to the general way (`routes.Routes`), which gives every refusal its exact answer. Its
rules:

* The target is `/apps/ID/events?` after the configured prefix, and the parameters of the signature, sorted by name,
  with `auth_signature` among them or at the end. No name comes twice, nothing is percent-encoded. So the signed text
  is the target without its signature.
* The body came whole and is not large. The app is known and enabled. Key, time, MD5 and signature are right.
* The event is valid, and nobody asks for `info`. Neither the memory gate nor the app's quota refuses it.
* Whatever is not so is left to the general way before anything has happened.

The server that uses it has no rate limit by address, writes no CORS header that depends on the request, and does not
trace: `Routes` would look at the headers for these.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from sockudo.api.auth import TOLERANCE
from sockudo.api.events import EventHandlers
from sockudo.api.messages import EMPTY_OBJECT, Request, Response
from sockudo.apps.base import AppManager
from sockudo.eventual import Eventual, Future, caught, dropped, later
from sockudo.hub.totals import Totals
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.large_bodies import LARGE
from sockudo.pusher.signatures import body_md5
from sockudo.pusher.triggers import parse_trigger
from sockudo.timing.clock import Clock

_SIGNATURE: Final = rb"(?:&auth_signature=([0-9a-f]{64}))?"
_TOKEN: Final = rb"([A-Za-z0-9_.~-]+)"


class Failures(Protocol):
    """What answers a request that failed."""

    def failure(self, request: Request, error: Exception) -> Response:
        """Return the answer, and tell the log."""
        ...


class QuickEvents:
    """Publishes the events of requests that are as the official libraries send them.

    Args:
        failures: answers where publishing fails, which is a fault of this server.
        path_prefix: what every path begins with.
    """

    def __init__(
        self,
        *,
        apps: AppManager,
        events: EventHandlers,
        clock: Clock,
        totals: Totals,
        failures: Failures,
        path_prefix: str,
    ) -> None:
        self._apps = apps
        self._events = events
        self._now = clock.now
        self._totals = totals
        self._failures = failures
        path = re.escape(path_prefix.encode()) + rb"/apps/" + _TOKEN + rb"/events"
        signed = rb"(&auth_timestamp=([0-9]{1,12})&auth_version=1\.0&body_md5=([0-9a-f]{32}))"
        self._parse = re.compile(
            rb"(" + path + rb")\?(auth_key=" + _TOKEN + rb")" + _SIGNATURE + signed + _SIGNATURE
        ).fullmatch

    def publish(self, target: bytes, body: bytes, request: Callable[[], Request]) -> Eventual[Response] | None:
        """Publish the event of a POST and return the answer; None, and nothing happened, if the general way must.

        Args:
            request: makes the whole request.
        """
        # hot path
        found = self._parse(target)
        if found is None or not 0 < len(body) <= LARGE:
            return None
        path, app_id, key, key_value, first, rest, timestamp, md5, last = found.groups()
        signature = first or last
        app = self._apps.by_id(app_id.decode())
        if isinstance(app, Future):
            dropped(app)
            return None
        if app is None or not app.enabled or (first and last) or signature is None:
            return None
        if app.key.encode() != key_value or abs(int(self._now()) - int(timestamp)) > TOLERANCE:
            return None
        if body_md5(body).encode() != md5:
            return None
        if not app.signer.is_valid(b"POST\n%b\n%b%b" % (path, key, rest), signature.decode()):
            return None
        try:
            trigger = parse_trigger(body, app.publishing)
            if trigger.info:
                return None
            self._events.admit(app, 1)
        except RequestRejected:
            return None
        try:
            published = self._events.send(app, [trigger])
        except Exception as error:
            return self._failures.failure(request(), error)
        totals = self._totals[app.id]
        totals.http_calls += 1
        totals.http_bytes_received += len(body)
        totals.http_bytes_sent += len(EMPTY_OBJECT.body)
        if published is None:
            return EMPTY_OBJECT
        failed = partial(self._failures.failure, request())
        return caught(later(published, _empty_object), failed)


def _empty_object(_: None) -> Response:
    return EMPTY_OBJECT
