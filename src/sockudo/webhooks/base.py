"""What a node tells whatever sends webhooks.

Nothing here waits, and nothing that goes wrong here reaches a client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sockudo.apps.app import App

Sent: TypeAlias = Callable[[bool], None]
"""Called once: whether the queue has accepted an event, for at least one endpoint."""


class WebhookEvents:
    """Takes what happens. Every method does nothing here; `webhooks.webhooks` has the ones that do.

    Every node tells every change of the merged view of the cluster that it sees, whoever has brought it about. What
    happens on one connection is told by the node that has the connection.

    Attributes:
        is_on: whether anything comes of it; where it is false, callers need not call.
    """

    is_on: bool

    def channel_occupied(self, app_id: str, channel: str) -> None:
        """Note that a channel has its first subscriber."""

    def channel_vacated(self, app_id: str, channel: str) -> None:
        """Note that the last subscriber of a channel is gone."""

    def member_added(self, app_id: str, channel: str, user_id: str) -> None:
        """Note that a user has come to a presence channel."""

    def member_removed(self, app_id: str, channel: str, user_id: str) -> None:
        """Note that a user is gone from a presence channel."""

    def subscription_count(self, app_id: str, channel: str, count: int) -> None:
        """Note how many subscribers a channel has now, which is not a presence channel."""

    def client_event(
        self, app: App, channel: str, event: str, data: bytes, socket_id: str, user_id: str | None
    ) -> None:
        """Note that a client has sent an event; `data` is JSON as it came, or b""; `user_id` the sender, or None."""

    def cache_miss(self, app: App, channel: str) -> None:
        """Note that somebody has joined a cache channel that has no event."""

    def connection_established(self, app: App, socket_id: str) -> None:
        """Note that a client has connected."""

    def connection_terminated(self, app: App, socket_id: str) -> None:
        """Note that a connection has ended."""


class NoWebhooks(WebhookEvents):
    """The `WebhookEvents` of a server on which no app has webhooks."""

    is_on = False
