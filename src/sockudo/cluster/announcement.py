"""Telling the nodes of a cluster that apps have been changed in the database, without being one."""

from __future__ import annotations

from collections.abc import Iterable

from sockudo.bus.base import Adapter
from sockudo.cluster import envelope
from sockudo.cluster.state import AppChanged, encode
from sockudo.cluster.topics import EVERYONE


class _Deaf:
    """An inbox for who only speaks."""

    def received(self, topic: str, data: bytes) -> None:
        """Do nothing."""

    def lost(self, reason: str) -> None:
        """Do nothing."""

    def restored(self) -> None:
        """Do nothing."""


async def announce_apps(adapter: Adapter, app_ids: Iterable[str]) -> None:
    """Tell every node on the bus to look these apps up anew; return when that has been sent.

    Raises:
        DriverError: the bus cannot be used.
    """
    header = envelope.header(envelope.APP_CHANGED, envelope.new_node_id())
    await adapter.start(_Deaf())
    try:
        for app_id in app_ids:
            adapter.publish(EVERYONE, header + encode(AppChanged(app_id)))
    finally:
        await adapter.aclose()
