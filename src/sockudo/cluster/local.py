"""The cluster of a single node: it sends nothing, learns nothing and costs nothing."""

from __future__ import annotations

from sockudo.cluster.peers import Journal, Peers
from sockudo.cluster.replication.replica import Replica


class NoJournal(Journal):
    """The `Journal` of a node that is alone: it forgets everything."""

    __slots__ = ()


class NoPeers(Peers):
    """The `Peers` of a node that is alone by configuration (`adapter.driver = local`)."""

    is_healthy = True
    is_synced = True

    def __init__(self) -> None:
        self.journal = NoJournal()
        self.replica = Replica()
        self.is_alone = self.is_surely_alone = True

    def is_owner(self, app_id: str, name: str) -> bool:
        """Return True: there is no other node."""
        return True

    def node_ids(self) -> list[str]:
        """Return nothing."""
        return []
