"""A cluster of one: there is nobody to tell and nothing to learn, and it costs nothing."""

from __future__ import annotations

import asyncio

from sockudo.cluster.handler import ClusterHandler
from sockudo.cluster.replica import Replica
from sockudo.cluster.state import Delivered, Report, Verb


class NoPeers:
    """The `Peers` of a node that is alone by configuration (`adapter.driver = local`)."""

    __slots__ = ("is_alone", "is_healthy", "is_synced", "replica")

    def __init__(self) -> None:
        self.replica = Replica()
        self.is_alone = True
        self.is_healthy = True
        self.is_synced = True

    async def start(self, handler: ClusterHandler) -> None:
        """Do nothing."""

    async def aclose(self) -> None:
        """Do nothing."""

    async def settle(self) -> None:
        """Do nothing."""

    def join(
        self, app_id: str, name: str, *, is_kept: bool = False, has_caught_up: bool = False
    ) -> asyncio.Future[None] | None:
        """Return None: every event arrives here."""

    def release(self, app_id: str, name: str) -> None:
        """Do nothing."""

    def publish(self, app_id: str, name: str, frame: bytes, except_id: str | None, *, is_stored: bool = False) -> None:
        """Do nothing."""

    def publish_cached(self, app_id: str, name: str, frame: bytes, except_id: str | None) -> None:
        """Do nothing."""

    def terminate(self, app_id: str, user_id: str) -> None:
        """Do nothing."""

    def app_changed(self, app_id: str) -> None:
        """Do nothing."""

    def connections_changed(self, app_id: str) -> None:
        """Do nothing."""

    def channel_changed(self, app_id: str, name: str) -> None:
        """Do nothing."""

    def member_changed(self, app_id: str, name: str, user_id: str, user_info: bytes | None) -> None:
        """Do nothing."""

    def user_changed(self, app_id: str, user_id: str, *, online: bool) -> None:
        """Do nothing."""

    def quota_used(self, app_id: str, events: int = 0, reads: int = 0) -> None:
        """Do nothing."""

    def is_owner(self, app_id: str, name: str) -> bool:
        """Return True: there is no other node."""
        return True

    def delivered(self, delivered: Delivered) -> None:
        """Do nothing."""

    def node_ids(self) -> list[str]:
        """Return nothing."""
        return []

    def report(self, verb: Verb, reports: list[Report], to: str | None = None, *, is_sure: bool = True) -> None:
        """Do nothing."""
