"""Traces deliveries to the clients of this node."""

from __future__ import annotations

from sockudo.hub.broadcast import Broadcast
from sockudo.hub.hub import Hub
from sockudo.tracing.tracing import Role, Tracing


class TracedHub(Hub):
    """A `Hub` whose deliveries are spans where what causes them is traced."""

    tracing: Tracing

    def deliver(self, app_id: str, name: str, broadcast: Broadcast, except_id: str | None = None) -> int:
        active = self.tracing.active
        if active is None:
            return super().deliver(app_id, name, broadcast, except_id)
        channel = self.channel(app_id, name)
        count = 0 if channel is None else channel.count
        with self.tracing.span("deliver", Role.INTERNAL, active, app=app_id, subscribers=count):
            return super().deliver(app_id, name, broadcast, except_id)

    def deliver_to_user(self, app_id: str, user_id: str, broadcast: Broadcast, except_id: str | None = None) -> None:
        active = self.tracing.active
        if active is None:
            super().deliver_to_user(app_id, user_id, broadcast, except_id)
            return
        with self.tracing.span("deliver", Role.INTERNAL, active, app=app_id):
            super().deliver_to_user(app_id, user_id, broadcast, except_id)
