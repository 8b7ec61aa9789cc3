"""A Redis Cluster of three masters with a replica each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import pytest
from redis.crc import key_slot

from tests.servers.ports import free_port
from tests.servers.processes import wait_until
from tests.servers.redis_server import RedisProcess

SIZE = 6
SLOTS = 16384


class ClusterNode(RedisProcess):
    """One server of a cluster."""

    def __init__(self, folder: Path) -> None:
        options = ["--cluster-enabled", "yes", "--cluster-config-file", str(folder / "nodes.conf")]
        self.bus_port = free_port()
        options += ["--cluster-port", str(self.bus_port), "--cluster-node-timeout", "1000"]
        options += ["--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0"]
        super().__init__(folder, *options)

    @property
    def id(self) -> str:
        """How the cluster calls it."""
        return self.cli("CLUSTER", "MYID")


class RedisClusterProcesses:
    """All servers of a cluster."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [ClusterNode(folder / f"node{number}") for number in range(SIZE)]
        self._is_created = False

    @property
    def urls(self) -> tuple[str, ...]:
        """Where some of the servers are."""
        return tuple(node.url for node in self.nodes[:3])

    def start(self) -> None:
        """Start every server; they are one cluster when this returns, also after the first time."""
        for node in self.nodes:
            node.start()
        if self._is_created:
            self.wait_until_whole()
        else:
            self._create()

    def kill(self) -> None:
        """End every server as a crash would."""
        for node in self.nodes:
            node.kill()

    def stop(self) -> None:
        """End every server."""
        for node in self.nodes:
            node.stop()

    def wait_until_whole(self) -> None:
        """Return once every server knows every other, and every master has its replica."""
        wait_until(self._is_whole, "the cluster is whole")

    def _create(self) -> None:
        """Make the servers one cluster, without the pauses that redis-cli makes between the steps."""
        masters, replicas = self.nodes[: SIZE // 2], self.nodes[SIZE // 2 :]
        for number, node in enumerate(self.nodes):
            node.cli("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for number, master in enumerate(masters):
            first, end = (SLOTS * one // len(masters) for one in (number, number + 1))
            master.cli("CLUSTER", "ADDSLOTSRANGE", str(first), str(end - 1))
        for node, other in combinations(self.nodes, 2):
            node.cli("CLUSTER", "MEET", "127.0.0.1", str(other.port), str(other.bus_port))
        wait_until(lambda: all(map(self._knows_all, self.nodes)), "the servers know each other")
        for replica, master in zip(replicas, masters, strict=True):
            replica.cli("CLUSTER", "REPLICATE", master.id)
        self.wait_until_whole()
        self._is_created = True

    def _knows_all(self, node: ClusterNode) -> bool:
        lines = node.cli("CLUSTER", "NODES").splitlines()
        return len(lines) == SIZE and not any("handshake" in line for line in lines)

    def _is_whole(self) -> bool:
        def knows_all(node: ClusterNode) -> bool:
            lines = node.cli("CLUSTER", "NODES").splitlines()
            replicas = sum("slave" in line for line in lines)
            return "cluster_state:ok" in node.cli("CLUSTER", "INFO") and replicas == SIZE // 2

        return all(knows_all(node) for node in self.nodes) and all(
            "master_link_status:down" not in node.cli("INFO", "replication") for node in self.nodes
        )

    def master_of(self, name: str) -> ClusterNode:
        """Return the server that serves a channel."""
        slot = key_slot(name.encode())
        for node in self.nodes:
            for line in node.cli("CLUSTER", "NODES").splitlines():
                _, _, flags, _, _, _, _, state, *ranges = line.split()
                if "myself" in flags and "master" in flags and state == "connected" and _covers(ranges, slot):
                    return node
        raise AssertionError(f"nobody serves {name}")

    def replica_of(self, master: ClusterNode) -> ClusterNode:
        """Return the replica of a master."""
        return next(node for node in self.nodes if f"slave {master.id}" in _own_line(node))

    def move_slot(self, name: str, target: ClusterNode) -> None:
        """Give the slot of a channel to another master, as redis-cli does it."""
        slot, source = str(key_slot(name.encode())), self.master_of(name)
        target_id, source_id = target.id, source.id
        target.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        for node in (target, source):
            node.cli("CLUSTER", "SETSLOT", slot, "NODE", target_id)

    def log_tail(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(node.log_tail()[-1500:] for node in self.nodes)


def _own_line(node: ClusterNode) -> str:
    return next(line for line in node.cli("CLUSTER", "NODES").splitlines() if "myself" in line)


def _covers(ranges: list[str], slot: int) -> bool:
    for part in ranges:
        if not part.startswith("["):
            first, _, last = part.partition("-")
            if int(first) <= slot <= int(last or first):
                return True
    return False


@contextmanager
def running_cluster(folder: Path) -> Iterator[RedisClusterProcesses]:
    """Start a cluster, and end it whatever happens."""
    cluster = RedisClusterProcesses(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisClusterProcesses]:
    """A cluster that anybody may use; never stop a part of it."""
    with running_cluster(tmp_path_factory.mktemp("redis-cluster")) as cluster:
        yield cluster


@pytest.fixture
def own_redis_cluster(tmp_path: Path) -> Iterator[RedisClusterProcesses]:
    """A cluster for one test, which may do with it what it likes."""
    with running_cluster(tmp_path / "redis-cluster") as cluster:
        yield cluster
