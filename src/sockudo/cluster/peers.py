"""The interface through which a node reaches the rest of the cluster.

Methods without a result do nothing here, which suits a node without a bus (`cluster.local`). For a node with a bus,
`cluster.replication.journal` and `cluster.cluster` override them all.
"""

from __future__ import annotations

import asyncio

from sockudo.cluster.handler import ClusterHandler, ReportHandler
from sockudo.cluster.messages.state import Delivered, Report, Verb
from sockudo.cluster.replication.replica import Replica


class Journal:
    """Takes changes among the clients of this node; does nothing here."""

    def connections_changed(self, app_id: str) -> None:
        """Note that a connection of an app has come or gone."""

    def channel_changed(self, app_id: str, name: str) -> None:
        """Note that a channel has more or fewer subscribers."""

    def member_changed(self, app_id: str, name: str, user_id: str, user_info: bytes | None) -> None:
        """Note that a user has come to a presence channel, or has left it (None)."""

    def user_changed(self, app_id: str, user_id: str, *, online: bool) -> None:
        """Note that a user has signed in here, or is gone from here."""

    def quota_used(self, app_id: str, events: int = 0, reads: int = 0) -> None:
        """Note how much of an app's limits of events and reads per second this node has used."""


class Peers:
    """The other nodes, as this node calls them; does nothing here.

    Attributes:
        journal: takes the changes of this node for the others.
        replica: everything that the others have.
        is_alone: this node knows no other node, and says nothing of its own state.
        is_surely_alone: no other node is there either, so this node sends no events. A node that hears no other,
            because a part of the bus is lost, may still be heard over the rest of it.
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
        """Whether this node knows everything that the others have."""
        raise NotImplementedError

    async def start(self, handler: ClusterHandler, reports: ReportHandler | None = None) -> None:
        """Join the others and learn what they have; `reports` takes their messages about webhooks.

        Raises:
            DriverError: the bus cannot be used.
        """

    async def aclose(self) -> None:
        """Say goodbye and leave; safe to call again."""

    async def settle(self) -> None:
        """Wait, not for long, until everything that the others have published by now has arrived here."""

    def join(
        self, app_id: str, name: str, *, is_kept: bool = False, has_caught_up: bool = False
    ) -> asyncio.Future[None] | None:
        """Receive the events of a channel for one more subscriber, from now on and no earlier ones.

        Returns None if that is so, else a future; when it is done, the caller calls again, with `has_caught_up`.
        `is_kept` says that nodes send its events with `publish_cached`.
        """

    def release(self, app_id: str, name: str) -> None:
        """Note that the last subscriber of a channel here is gone."""

    def publish(self, app_id: str, name: str, frame: bytes, except_id: str | None, *, is_stored: bool = False) -> None:
        """Send an event to the nodes that have subscribers of its channel.

        `is_stored` says that it is the channel's last event in the cache that all nodes share.
        """

    def publish_cached(self, app_id: str, name: str, frame: bytes, except_id: str | None) -> None:
        """Send an event of a cache channel to every node, which keeps it."""

    def terminate(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has on other nodes."""

    def force_reconnect(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has on other nodes, so that its clients connect again."""

    def app_changed(self, app_id: str) -> None:
        """Tell the other nodes that an app has changed in the database."""

    def is_owner(self, app_id: str, name: str) -> bool:
        """Return whether this node reports a channel to webhook receivers."""
        raise NotImplementedError

    def delivered(self, delivered: Delivered) -> None:
        """Send an attempt to deliver a webhook to the followers, if there are any."""

    def node_ids(self) -> list[str]:
        """Return the ids of the other live nodes, as far as this one knows."""
        raise NotImplementedError

    def report(self, verb: Verb, reports: list[Report], to: str | None = None, *, is_reliable: bool = True) -> None:
        """Send reports, or a question about them, to every node, or to one node (`to`)."""
