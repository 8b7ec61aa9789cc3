"""Sends the context of a trace with an event over the bus, and takes it from there.

An event on the bus names the socket that must not get it, or none. A context goes before that name. Nodes that do not
trace read past it, so they keep the same socket from the event.
"""

from __future__ import annotations

from sockudo.cluster.cluster import Cluster
from sockudo.cluster.messages.envelope import TracedExclusion, with_context
from sockudo.node.remote_events import RemoteEvents
from sockudo.tracing.tracing import TRACEPARENT, Role, Tracing, context_of


class TracedCluster(Cluster):
    """A `Cluster` that sends contexts with events."""

    tracing: Tracing

    def publish(self, app_id: str, name: str, frame: bytes, except_id: str | None, *, is_stored: bool = False) -> None:
        active = self.tracing.active
        if active is None or self.is_alone:
            super().publish(app_id, name, frame, except_id, is_stored=is_stored)
            return
        with self.tracing.span("bus send", Role.PRODUCER, active, app=app_id):
            super().publish(app_id, name, frame, _with_context(except_id, self.tracing), is_stored=is_stored)

    def publish_cached(self, app_id: str, name: str, frame: bytes, except_id: str | None) -> None:
        active = self.tracing.active
        if active is None or self.is_alone:
            super().publish_cached(app_id, name, frame, except_id)
            return
        with self.tracing.span("bus send", Role.PRODUCER, active, app=app_id):
            super().publish_cached(app_id, name, frame, _with_context(except_id, self.tracing))


class TracedRemoteEvents(RemoteEvents):
    """`RemoteEvents` that go on with the traces of other nodes."""

    tracing: Tracing

    def deliver(self, app_id: str, name: str, frame: bytes, except_id: str | None, is_stored: bool = False) -> None:
        if not isinstance(except_id, TracedExclusion):
            super().deliver(app_id, name, frame, except_id, is_stored)
            return
        parent = context_of({TRACEPARENT: except_id.context})
        with self.tracing.span("bus receive", Role.CONSUMER, parent, app=app_id):
            super().deliver(app_id, name, frame, str(except_id) or None, is_stored)


def _with_context(except_id: str | None, tracing: Tracing) -> str | None:
    carried = tracing.carried()
    return except_id if carried is None else with_context(carried, except_id)
