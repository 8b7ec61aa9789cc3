"""The quick way of `POST /apps/ID/events`, for requests as the official libraries send them.

It takes a request, or leaves it to the general way (`routes.Routes`), which gives every refusal its exact answer. Its
rules:

* The target is `/apps/ID/events?` after the configured prefix, and the parameters of the signature, sorted by name,
  with `auth_signature` among them or at the end. No name comes twice, nothing is percent-encoded. So the signed text
  is the target without its signature.
* The body came whole and is not large. The app is known and enabled. Key, time, MD5 and signature are right.
* The event is valid, and nobody asks for `info`. Neither the memory gate nor the app's quota refuses it.
* Whatever is not so is left to the general way before anything has happened.

With a rate limit by address, the limit counts a request once its signature and its event were checked. From then on the
quick way answers, also where the memory gate or the quota refuses. A server has the quick way where limits are counted
in memory, and so decided at once, where no CORS header depends on the request, and where nothing is traced.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from sockudo.api.auth import TOLERANCE
from sockudo.api.events import EventHandlers
from sockudo.api.messages import EMPTY_OBJECT, Published, Request, Response
from sockudo.api.throttle import Throttle
from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.errors import DriverError
from sockudo.eventual import Eventual, Future, caught, dropped, later
from sockudo.hub.totals import Totals
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.large_bodies import LARGE
from sockudo.pusher.signatures import body_md5
from sockudo.pusher.triggers import Trigger, parse_trigger
from sockudo.ratelimit.counters import Checks
from sockudo.timing.clock import Clock

_SIGNATURE: Final = rb"(?:&auth_signature=([0-9a-f]{64}))?"
_TOKEN: Final = rb"([A-Za-z0-9_.~-]+)"


class Failures(Protocol):
    """Answers requests that failed or were refused."""

    def failure(self, request: Request, error: Exception) -> Response:
        """Return the answer, and tell the log."""
        ...

    def limited(self, request: Request, answer: Response) -> Response:
        """Return the answer of a rate limit, and tell the log."""
        ...


class QuickEvents:
    """Publishes the events of requests that are as the official libraries send them.

    Args:
        failures: answers where a request is refused after it was counted, or publishing fails.
        throttle: the limit of each client address, and what counts its checks.
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
        throttle: tuple[Throttle, Checks] | None,
        path_prefix: str,
    ) -> None:
        self._apps = apps
        self._events = events
        self._now = clock.now
        self._totals = totals
        self._failures = failures
        self._throttle = throttle
        path = re.escape(path_prefix.encode()) + rb"/apps/" + _TOKEN + rb"/events"
        signed = rb"(&auth_timestamp=([0-9]{1,12})&auth_version=1\.0&body_md5=([0-9a-f]{32}))"
        self._parse = re.compile(
            rb"(" + path + rb")\?(auth_key=" + _TOKEN + rb")" + _SIGNATURE + signed + _SIGNATURE
        ).fullmatch

    def publish(
        self, target: bytes, body: bytes, peer: str | None, request: Callable[[], Request]
    ) -> Eventual[Response] | None:
        """Publish the event of a POST and return the answer; None, and nothing happened, if the general way must.

        Args:
            peer: the address of the other end, where anybody asks for it.
            request: makes the whole request.
        """
        # hot path
        found = self._parse(target)
        if found is None or not 0 < len(body) <= LARGE:
            return None
        path, app_id, key, key_value, first, rest, timestamp, md5, last = found.groups()
        signature = first or last
        name = app_id.decode()
        if self._apps.known(name) is None:
            # A store would have to be asked, which a rate limit may forbid.
            return None
        app = self._apps.by_id(name)
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
            if self._throttle is None:
                self._events.admit(app, 1)
        except (RequestRejected, DriverError):
            return None
        if self._throttle is not None:
            return self._throttled(peer, app, trigger, body, request)
        return self._send(app, trigger, body, request)

    def _throttled(
        self, peer: str | None, app: App, trigger: Trigger, body: bytes, request: Callable[[], Request]
    ) -> Eventual[Response]:
        # hot path
        assert self._throttle is not None
        throttle, checks = self._throttle
        decision = throttle.admit_at_once(peer, request, checks)
        if isinstance(decision, Response):
            return self._failures.limited(request(), decision)
        try:
            self._events.admit(app, 1)
        except Exception as refused:
            return self._failures.failure(request(), refused).with_decision(decision)
        answer = self._send(app, trigger, body, request)
        if isinstance(answer, Future):
            return later(answer, lambda response: response.with_decision(decision))
        if answer is EMPTY_OBJECT:
            return Published(decision)
        return answer.with_decision(decision)

    def _send(self, app: App, trigger: Trigger, body: bytes, request: Callable[[], Request]) -> Eventual[Response]:
        # hot path
        try:
            published = self._events.send(app, [trigger])
        except Exception as error:
            return self._failures.failure(request(), error)
        if published is None:
            return self._counted(app.id, body)
        failed = partial(self._failures.failure, request())
        return caught(later(published, lambda _: self._counted(app.id, body)), failed)

    def _counted(self, app_id: str, body: bytes) -> Response:
        # hot path
        self._totals[app_id].count_call(len(body), len(EMPTY_OBJECT.body))
        return EMPTY_OBJECT
