"""The rest of the cluster, as the node sees it.

Methods without a result do nothing here. A node that is alone has no others (`cluster.local`); `cluster.journal` and
`cluster.cluster` override them all for a node that has a bus.
"""

from __future__ import annotations

import asyncio

from sockudo.cluster.handler import ClusterHandler, ReportHandler
from sockudo.cluster.messages.state import Delivered, Report, Verb
from sockudo.cluster.replication.replica import Replica


class Journal:
    """Takes what changes among the clients of this node; does nothing where there is nobody to tell."""

    def connections_changed(self, app_id: str) -> None:
        """Note that a connection of an app has come or gone."""

    def channel_changed(self, app_id: str, name: str) -> None:
        """Note that a channel has more or fewer subscribers."""

    def member_changed(self, app_id: str, name: str, user_id: str, user_info: bytes | None) -> None:
        """Note that a user has come to a presence channel, or has left it (None)."""

    def user_changed(self, app_id: str, user_id: str, *, online: bool) -> None:
        """Note that a user has signed in here, or is gone from here."""

    def quota_used(self, app_id: str, events: int = 0, reads: int = 0) -> None:
        """Note what was let through of an app's limits of events and reads a second."""


class Peers:
    """What a node tells the others and learns from them; does nothing where there is nobody else.

    Attributes:
        journal: takes the changes of this node that the others are to know of.
        replica: what the others have.
        is_alone: no other node is known, so that nothing need be said of this one's state.
        is_surely_alone: no other node is there either, so that no event need be sent. A node that hears nobody because
            a part of the bus is lost may still be heard over the rest of it.
    """

    journal: Journal
    replica: Replica
    is_alone: bool
    is_surely_alone: bool

    @property
    def is_healthy(self) -> bool:
        """Whether the bus can be reached."""
        raise NotImplementedError

    @property
    def is_synced(self) -> bool:
        """Whether everything is known that the others have."""
        raise NotImplementedError

    async def start(self, handler: ClusterHandler, reports: ReportHandler | None = None) -> None:
        """Join the others and learn what they have; `reports` takes what they say about webhooks, if anything does.

        Raises:
            DriverError: the bus cannot be used.
        """

    async def aclose(self) -> None:
        """Say goodbye and leave; safe to call again."""

    async def settle(self) -> None:
        """Wait, not for long, until what the others have published by now has arrived here."""

    def join(
        self, app_id: str, name: str, *, is_kept: bool = False, has_caught_up: bool = False
    ) -> asyncio.Future[None] | None:
        """See to it that events of a channel arrive here, for one more subscriber, and nothing from before.

        Returns None where that is so, else a future; when it is done, this is to be called again, with
        `has_caught_up`. `is_kept` says that its events are told with `publish_cached`.
        """

    def release(self, app_id: str, name: str) -> None:
        """Note that the last subscriber of a channel here is gone."""

    def publish(self, app_id: str, name: str, frame: bytes, except_id: str | None, *, is_stored: bool = False) -> None:
        """Send an event to the nodes that have subscribers of its channel.

        `is_stored` says that it is the channel's last event in the cache that all nodes share.
        """

    def publish_cached(self, app_id: str, name: str, frame: bytes, except_id: str | None) -> None:
        """Send an event of a cache channel to every node, to be kept there."""

    def terminate(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has on other nodes."""

    def force_reconnect(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has on other nodes, so that its clients connect again."""

    def app_changed(self, app_id: str) -> None:
        """Tell that an app has been changed in the database."""

    def is_owner(self, app_id: str, name: str) -> bool:
        """Tell whether this node is the one that reports on a channel to webhook receivers."""
        raise NotImplementedError

    def delivered(self, delivered: Delivered) -> None:
        """Tell of an attempt to deliver a webhook, if somebody follows."""

    def node_ids(self) -> list[str]:
        """Return the ids of the other nodes that are alive, as far as this one knows."""
        raise NotImplementedError

    def report(self, verb: Verb, reports: list[Report], to: str | None = None, *, is_reliable: bool = True) -> None:
        """Say something about reports to webhook receivers: to every node, or to the one whose id is given."""
