"""Traces each attempt at a webhook, and hands the trace on to the endpoint."""

from __future__ import annotations

from sockudo.apps.app import App
from sockudo.apps.webhook import Webhook
from sockudo.tracing.tracing import TRACEPARENT, Role, Tracing, context_of, headers_of
from sockudo.webhooks.delivery.job import Job
from sockudo.webhooks.delivery.sender import Sender


class TracedSender(Sender):
    """A `Sender` whose requests have a `traceparent`; that of the cause, where the cause was traced."""

    tracing: Tracing

    async def _send(
        self, job: Job, app: App, webhook: Webhook, body: bytes, further: dict[str, str] | None = None
    ) -> None:
        begun = self.tracing.begin("webhook", Role.CLIENT, context_of({TRACEPARENT: job.trace}), app=app.id)
        try:
            await super()._send(job, app, webhook, body, headers_of(begun.context))
        except BaseException as problem:
            begun.end(problem)
            raise
        begun.end()
