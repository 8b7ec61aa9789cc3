"""Who is told of what other nodes say: the node, and whoever reports to webhook receivers."""

from __future__ import annotations

from typing import Protocol

from sockudo.cluster.messages.state import Reports
from sockudo.cluster.replication.replica import Change


class ClusterHandler(Protocol):
    """The way back up: called in the event loop, and returns at once."""

    def deliver(self, app_id: str, name: str, frame: bytes, except_id: str | None, is_stored: bool = False) -> None:
        """Hand an event of another node to the subscribers here; `is_stored` as in `Peers.publish`."""

    def awaits(self, app_id: str, name: str) -> bool:
        """Tell whether events of a channel are needed here although nobody is on it."""
        ...

    def keep(self, app_id: str, name: str, frame: bytes) -> None:
        """Keep an event of another node as the last one of its cache channel."""

    def changed(self, changes: list[Change]) -> None:
        """Take note of what has changed on other nodes."""

    def terminate(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has here."""

    def force_reconnect(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has here, so that its clients connect again."""

    def app_changed(self, app_id: str) -> None:
        """Take note that an app has been changed in the database."""


class ReportHandler:
    """Takes what other nodes say about webhooks, in the event loop, and returns at once. Here it does nothing."""

    def reported(self, node_id: str, said: Reports) -> None:
        """Take what another node says about reports to webhook receivers."""

    def met(self, *, is_older: bool) -> None:
        """Note that another node has been heard for the first time, and whether it was there before this one."""

    def rejoined(self) -> None:
        """Note that this node was off the bus, is back, and will hear what it has missed."""


class NoReports(ReportHandler):
    """The `ReportHandler` of a node that sends no webhooks."""
