"""The queue handler that delivers webhook jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from sockudo.apps.app import App
from sockudo.apps.base import AppFinder
from sockudo.apps.webhook import Function, Webhook
from sockudo.cluster.messages.state import Delivered
from sockudo.errors import DriverError
from sockudo.log import get_logger
from sockudo.pusher.webhooks import CONTENT_TYPE, KEY_HEADER, SIGNATURE_HEADER, webhook_body
from sockudo.queues.base import Delivery, Done, Failed, Outcome, Retry
from sockudo.timing.clock import Clock
from sockudo.webhooks.delivery.deliveries import DeliveryCounters, Listener
from sockudo.webhooks.delivery.job import Job, decode_job, event_names
from sockudo.webhooks.delivery.policy import RetryPolicy, body_time_ms, is_too_late
from sockudo.webhooks.delivery.post_error import PostError
from sockudo.webhooks.delivery.request_slots import NoRequestError, RequestSlots
from sockudo.webhooks.recent_keys import RecentKeys

_DONE: Final[Outcome] = Done()
_NONE_FURTHER: Final[dict[str, str]] = {}
_ANEW_SECONDS: Final = 1.0
_MOST_ANEW: Final = 10_000

_log = get_logger("sockudo.webhooks")

# The server or the HTTP client sets these; a webhook's own headers do not replace them.
OWN_HEADERS: Final = frozenset(
    name.lower()
    for name in ("Content-Type", KEY_HEADER, SIGNATURE_HEADER, "Content-Length", "Transfer-Encoding", "Connection")
)


class Poster(Protocol):
    """Posts to a URL."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a body; return the status, which is 2xx, or raise `PostError`."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""


class Invoker(Protocol):
    """Invokes functions."""

    async def invoke(self, function: Function, body: bytes) -> None:
        """Hand a body to a function, or raise `PostError`."""

    async def aclose(self) -> None:
        """Close every connection."""


class _GivenUp(NoRequestError):
    """A job that cannot be delivered; the text says why."""


class Sender:
    """Looks up the endpoint of a job, and sends it there.

    Attributes:
        counters: totals.
        listener: takes every attempt, if it is set.
    """

    def __init__(
        self, apps: AppFinder, poster: Poster, invoker: Invoker, clock: Clock, policy: RetryPolicy, concurrency: int
    ) -> None:
        self.counters = DeliveryCounters()
        self.listener: Listener | None = None
        self._apps = apps
        self._poster = poster
        self._invoker = invoker
        self._clock = clock
        self._policy = policy
        self._slots = RequestSlots(concurrency, clock)
        # An app is looked up again once a second only, because many jobs may wait for one.
        self._asked_anew = RecentKeys[str](clock, _ANEW_SECONDS, _MOST_ANEW)

    async def __call__(self, delivery: Delivery) -> Outcome:
        """Try to deliver a job once."""
        began = self._clock.monotonic()
        job = decode_job(delivery.job)
        reason, outcome = "", _DONE
        try:
            if job is None:
                raise _GivenUp("it is no job of this server")
            self._check_age(delivery)
            app, webhook = await self._target(job)
            async with self._slots.slot(delivery.lane):
                # If many endpoints do not answer, the wait for a slot may have taken a while.
                self._check_age(delivery)
                began = self._clock.monotonic()
                await self._send(job, app, webhook, _body(job, delivery))
        except _GivenUp as problem:
            reason, outcome = str(problem), Failed(str(problem))
        except (PostError, DriverError) as problem:
            reason, outcome = str(problem), self._policy.after_failure(delivery, str(problem), self._clock.now())
        self._note(delivery, job, outcome, reason, self._clock.monotonic() - began)
        return outcome

    async def aclose(self) -> None:
        """Close every connection to endpoints."""
        await self._poster.aclose()
        await self._invoker.aclose()

    def _check_age(self, delivery: Delivery) -> None:
        if is_too_late(delivery, self._clock.now()):
            raise _GivenUp("it waited too long behind others that could not be delivered")

    async def _target(self, job: Job) -> tuple[App, Webhook]:
        app, webhook = await self._look_up(job)
        if webhook is None and self._asked_anew.add(job.app):
            # The node that queued the job may know of a change that this one does not.
            self._apps.forget(job.app)
            app, webhook = await self._look_up(job)
        if app is None:
            raise _GivenUp("the app does not exist any more")
        if webhook is None:
            raise _GivenUp("the app has no webhook with this endpoint any more")
        return app, webhook

    async def _look_up(self, job: Job) -> tuple[App | None, Webhook | None]:
        found = self._apps.by_id(job.app)
        app = await found if isinstance(found, asyncio.Future) else found
        # Of several with the same endpoint, the first one and its headers count.
        webhooks = () if app is None else app.webhooks
        return app, next((webhook for webhook in webhooks if webhook.id == job.webhook), None)

    async def _send(
        self, job: Job, app: App, webhook: Webhook, body: bytes, further: dict[str, str] = _NONE_FURTHER
    ) -> None:
        """Send a body; `further` are headers that no webhook's own replace."""
        if webhook.function is not None:
            await self._invoker.invoke(webhook.function, body)
        elif webhook.url is not None:
            headers = {name: value for name, value in webhook.headers.items() if name.lower() not in OWN_HEADERS}
            if further:
                headers = {name: value for name, value in headers.items() if name.lower() not in further} | further
            headers |= {"Content-Type": CONTENT_TYPE, KEY_HEADER: app.key, SIGNATURE_HEADER: app.signer.sign(body)}
            await self._poster.post(webhook.url, body, headers)

    def _note(self, delivery: Delivery, job: Job | None, outcome: Outcome, reason: str, seconds: float) -> None:
        """Count an attempt, log it if it failed, and hand it to the listener."""
        app, webhook = ("", "") if job is None else (job.app, job.webhook)
        counters, names = self.counters, [] if job is None else event_names(job)
        about = {"app": app, "webhook": webhook, "events": len(names), "attempt": delivery.attempt}
        after = 0.0
        if isinstance(outcome, Retry):
            result, after = "retry", outcome.after
            counters.retried += 1
            _log.warning("webhook not delivered", **about, reason=reason, again_in=round(after, 1))
        elif isinstance(outcome, Failed):
            result = "failed"
            counters.failed += 1
            _log.error("webhook given up", **about, reason=outcome.reason)
        else:
            result = "delivered"
            counters.delivered += 1
            counters.events += len(names)
        if self.listener is not None:
            now = self._clock.now()
            self.listener(Delivered(now, app, webhook, names, delivery.attempt, seconds, result, reason, after))


def _body(job: Job, delivery: Delivery) -> bytes:
    return webhook_body(body_time_ms(job.time_ms, delivery.accepted_at), bytes(job.events))
