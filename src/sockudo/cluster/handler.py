"""The interfaces that take messages of other nodes: one of the node, one of its webhook reporting."""

from __future__ import annotations

from typing import Protocol

from sockudo.cluster.messages.state import Reports
from sockudo.cluster.replication.replica import Change


class ClusterHandler(Protocol):
    """The node, as the cluster calls it: in the event loop; it returns at once."""

    def deliver(self, app_id: str, name: str, frame: bytes, except_id: str | None, is_stored: bool = False) -> None:
        """Hand an event of another node to the subscribers here; `is_stored` as in `Peers.publish`."""

    def awaits(self, app_id: str, name: str) -> bool:
        """Return whether this node needs the events of a channel without subscribers here."""
        ...

    def keep(self, app_id: str, name: str, frame: bytes) -> None:
        """Keep an event of another node as the last one of its cache channel."""

    def changed(self, changes: list[Change]) -> None:
        """Take the changes on other nodes."""

    def terminate(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has here."""

    def force_reconnect(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has here, so that its clients connect again."""

    def app_changed(self, app_id: str) -> None:
        """Note that an app has changed in the database."""


class ReportHandler:
    """Takes messages of other nodes about webhooks, in the event loop, and returns at once. Here it does nothing."""

    def reported(self, node_id: str, said: Reports) -> None:
        """Take a message of another node about reports to webhook receivers."""

    def met(self, *, is_older: bool) -> None:
        """Note the first message of another node, and whether that node was there before this one."""

    def rejoined(self) -> None:
        """Note that this node was off the bus, is back, and will receive what it has missed."""


class NoReports(ReportHandler):
    """The `ReportHandler` of a node that sends no webhooks."""
