"""What a node tells of itself to those who send webhooks.

Nothing here waits, and nothing that goes wrong here reaches a client.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from sockudo.apps.app import App
from sockudo.cluster.state import Reports

Sent: TypeAlias = Callable[[bool], None]
"""Called once: whether the queue has accepted an event, for at least one endpoint."""


class WebhookEvents(Protocol):
    """Takes what happens.

    Every node tells every change of the merged view of the cluster that it sees, whoever has brought it about. What
    happens on one connection is told by the node that has the connection.

    Attributes:
        is_on: something is done with what is told.
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

    def reported(self, node_id: str, said: Reports) -> None:
        """Take what another node says about webhooks of the cluster."""

    def met(self, *, is_older: bool) -> None:
        """Note that another node has been heard for the first time, and whether it was there before this one."""

    def rejoined(self) -> None:
        """Note that this node was cut off from the others, and is back."""


class NoWebhooks:
    """The `WebhookEvents` of a server on which no app has webhooks."""

    is_on = False

    def channel_occupied(self, app_id: str, channel: str) -> None: ...

    def channel_vacated(self, app_id: str, channel: str) -> None: ...

    def member_added(self, app_id: str, channel: str, user_id: str) -> None: ...

    def member_removed(self, app_id: str, channel: str, user_id: str) -> None: ...

    def subscription_count(self, app_id: str, channel: str, count: int) -> None: ...

    def client_event(
        self, app: App, channel: str, event: str, data: bytes, socket_id: str, user_id: str | None
    ) -> None: ...

    def cache_miss(self, app: App, channel: str) -> None: ...

    def connection_established(self, app: App, socket_id: str) -> None: ...

    def connection_terminated(self, app: App, socket_id: str) -> None: ...

    def reported(self, node_id: str, said: Reports) -> None: ...

    def met(self, *, is_older: bool) -> None: ...

    def rejoined(self) -> None: ...
