"""Traces what back ends publish over HTTP, and what clients publish."""

from __future__ import annotations

from collections.abc import Sequence

from sockudo.api.call import Call
from sockudo.api.events import EventHandlers
from sockudo.apps.app import App
from sockudo.eventual import Eventual, Future
from sockudo.hub.connection import Connection
from sockudo.node.publisher import Publisher
from sockudo.pusher.commands import ClientEvent
from sockudo.pusher.triggers import Trigger
from sockudo.timing.slices import Steps
from sockudo.tracing.tracing import TRACEPARENT, TRACESTATE, Begun, Role, TraceContext, Tracing, context_of


class TracedEventHandlers(EventHandlers):
    """`EventHandlers` that go on with the trace of a request. What is refused before it is published is no span."""

    tracing: Tracing

    def _send(self, call: Call, triggers: list[Trigger]) -> Eventual[None]:
        tracing, request = self.tracing, call.request
        parent = context_of({TRACEPARENT: request.header(b"traceparent"), TRACESTATE: request.header(b"tracestate")})
        channels = sum(len(trigger.targets) for trigger in triggers)
        begun = tracing.begin("publish", Role.SERVER, parent, app=call.app.id, events=len(triggers), channels=channels)
        try:
            with tracing.within(begun.context):
                published = super()._send(call, triggers)
        except BaseException as problem:
            begun.end(problem)
            raise
        if isinstance(published, Future):
            published.add_done_callback(lambda done: _end(begun, done))
        else:
            begun.end()
        return published


class TracedPublisher(Publisher):
    """A `Publisher` that keeps to the trace of a long request over turns of the loop, and traces client events."""

    tracing: Tracing

    def publish_steps(self, app: App, triggers: Sequence[Trigger]) -> Steps[None]:
        # Now, and not with the first step, which may come in another turn.
        return self._in_context(self.tracing.active, super().publish_steps(app, triggers))

    def _in_context(self, context: TraceContext | None, steps: Steps[None]) -> Steps[None]:
        while True:
            with self.tracing.within(context):
                try:
                    step = next(steps)
                except StopIteration:
                    return
            yield step

    def client_event(self, connection: Connection, event: ClientEvent, now: float) -> None:
        with self.tracing.span("client event", Role.SERVER, None, app=connection.app.id):
            super().client_event(connection, event, now)


def _end(begun: Begun, done: Future[None]) -> None:
    begun.end(None if done.cancelled() else done.exception())
