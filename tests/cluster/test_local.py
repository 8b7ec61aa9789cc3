from __future__ import annotations

import pytest

from sockudo.cluster.cluster import Cluster
from sockudo.cluster.local import NoPeers
from sockudo.cluster.peers import Journal, Peers
from sockudo.cluster.replication.journal import DeltaJournal
from sockudo.node.remote_events import RemoteEvents
from tests.fakes.node import World


async def test_a_node_without_peers_is_alone_healthy_and_owns_everything() -> None:
    world, peers = World(), NoPeers()
    await peers.start(RemoteEvents(world.node, world.cached_events))
    assert peers.is_alone
    assert peers.is_healthy
    assert peers.is_owner("app", "news")
    assert peers.join("app", "news") is None
    await peers.aclose()
    await peers.aclose()


def test_what_a_node_without_peers_is_told_leaves_no_trace() -> None:
    peers = NoPeers()
    peers.journal.connections_changed("app")
    peers.journal.channel_changed("app", "news")
    peers.journal.member_changed("app", "presence-x", "1", b"{}")
    peers.journal.user_changed("app", "1", online=True)
    peers.publish("app", "news", b"frame", None)
    peers.publish_cached("app", "cache-x", b"frame", None)
    peers.terminate("app", "1")
    peers.force_reconnect("app", "1")
    peers.app_changed("app")
    peers.release("app", "news")
    assert list(peers.replica.channels("app")) == []
    assert peers.replica.connection_count("app") == 0


@pytest.mark.parametrize(("interface", "implementation"), [(Peers, Cluster), (Journal, DeltaJournal)])
def test_a_cluster_implements_every_method_of_its_interface(interface: type, implementation: type) -> None:
    methods = {name for name in vars(interface) if not name.startswith("_")}
    assert methods
    assert not methods - vars(implementation).keys()
