"""When the slot map of a Redis Cluster is asked for, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from sockudo.errors import DriverError
from sockudo.redis_client import map_keeper as module
from sockudo.redis_client.map_keeper import MapUser, SlotMapKeeper
from sockudo.redis_client.options import RedisNodes, RedisTiming
from sockudo.redis_client.server import RedisServer
from sockudo.redis_client.slots import SlotMap, slot_map

LAST = 16383
WHOLE = slot_map([(0, LAST, ("a", 1))])
MOVED = slot_map([(0, 99, ("b", 2)), (100, LAST, ("a", 1))])
PARTIAL = slot_map([(0, 99, ("b", 2))])


class Cluster:
    """Answers with `answer`, and notes what the user of the map is told."""

    def __init__(self) -> None:
        self.answer: SlotMap | DriverError = WHOLE
        self.problem: str | None = None
        self.asked: list[list[str]] = []
        self.used: list[tuple[SlotMap, bool]] = []
        self.looks: asyncio.Queue[str | None] = asyncio.Queue()
        nodes = RedisNodes(("redis://seed:1", "redis://a:1"), "nodes")
        self.keeper = SlotMapKeeper(
            nodes, RedisTiming(), MapUser(lambda: self.problem, self.use, self.looks.put_nowait)
        )

    async def fetch(self, servers: Sequence[RedisServer], timing: RedisTiming) -> SlotMap:
        """Answer as the servers would."""
        self.asked.append(sorted(server.host for server in servers))
        if isinstance(self.answer, DriverError):
            raise self.answer
        return self.answer

    async def use(self, found: SlotMap, has_changed: bool) -> None:
        """Note a map."""
        self.used.append((found, has_changed))


@pytest.fixture
async def cluster(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    cluster = Cluster()
    monkeypatch.setattr(module, "fetch_map", cluster.fetch)
    monkeypatch.setattr(module, "_SHORTEST_REFRESH", 0)
    yield cluster
    await cluster.keeper.aclose()


async def test_an_incomplete_cluster_is_an_error_at_the_start(cluster: Cluster) -> None:
    cluster.answer = PARTIAL
    with pytest.raises(DriverError, match=r"\(nodes\): .* nobody serves 16284 slots"):
        await cluster.keeper.fetch_first()
    assert not cluster.keeper.is_whole


async def test_doubt_asks_masters_and_seeds_at_once(cluster: Cluster) -> None:
    await cluster.keeper.fetch_first()
    assert cluster.asked == [["a", "seed"]]
    cluster.keeper.start()
    cluster.answer = MOVED
    cluster.keeper.doubt()
    assert await cluster.looks.get() is None
    cluster.keeper.doubt()
    assert await cluster.looks.get() is None
    assert cluster.asked[1:] == [["a", "seed"], ["a", "b", "seed"]]
    assert cluster.used == [(MOVED, True), (MOVED, False)]


async def test_the_old_map_stays_where_none_can_be_had(cluster: Cluster) -> None:
    await cluster.keeper.fetch_first()
    cluster.keeper.start()
    cluster.answer = DriverError("no route")
    cluster.keeper.doubt()
    assert await cluster.looks.get() == "no route"
    assert cluster.keeper.is_whole
    assert cluster.used == []


async def test_the_map_is_asked_for_often_while_something_is_wrong(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST_REFRESH", 0.001)
    await cluster.keeper.fetch_first()
    cluster.problem = "a link is down"
    cluster.keeper.start()
    for _ in range(5):
        assert await cluster.looks.get() is None


async def test_who_is_closed_looks_no_more(cluster: Cluster) -> None:
    await cluster.keeper.fetch_first()
    cluster.keeper.start()
    assert cluster.keeper.is_running
    await cluster.keeper.aclose()
    cluster.keeper.doubt()
    await asyncio.sleep(0.01)
    assert not cluster.keeper.is_running
    assert len(cluster.asked) == 1
