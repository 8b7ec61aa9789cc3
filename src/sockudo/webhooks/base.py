"""The interface through which a node reports events for webhooks.

Nothing here waits, and no error here reaches a client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sockudo.apps.app import App

Sent: TypeAlias = Callable[[bool], None]
"""Called once: whether the queue has accepted an event, for at least one endpoint."""


class WebhookEvents:
    """Takes events for webhooks. Every method does nothing here; `webhooks.webhooks` implements them.

    Every node reports every change of the merged view of the cluster that it sees, whichever node caused it. Only the
    node that has a connection reports its events.

    Attributes:
        is_on: whether the calls have any effect; if it is false, callers need not call.
    """

    is_on: bool

    def channel_occupied(self, app_id: str, channel: str) -> None:
        """Note that a channel has its first subscriber."""

    def channel_vacated(self, app_id: str, channel: str) -> None:
        """Note that a channel has lost its last subscriber."""

    def member_added(self, app_id: str, channel: str, user_id: str) -> None:
        """Note that a user has joined a presence channel."""

    def member_removed(self, app_id: str, channel: str, user_id: str) -> None:
        """Note that a user has left a presence channel."""

    def subscription_count(self, app_id: str, channel: str, count: int) -> None:
        """Note how many subscribers a channel has now, except for presence channels."""

    def client_event(
        self, app: App, channel: str, event: str, data: bytes, socket_id: str, user_id: str | None
    ) -> None:
        """Note that a client has sent an event; `data` is JSON as it came, or b""; `user_id` the sender, or None."""

    def cache_miss(self, app: App, channel: str) -> None:
        """Note that a client has joined a cache channel without an event."""

    def connection_established(self, app: App, socket_id: str) -> None:
        """Note that a client has connected."""

    def connection_terminated(self, app: App, socket_id: str) -> None:
        """Note that a connection has ended."""


class NoWebhooks(WebhookEvents):
    """The `WebhookEvents` of a server on which no app has webhooks."""

    is_on = False
