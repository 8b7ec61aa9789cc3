"""What the bus over a Redis Cluster does when slots move and servers die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from sockudo.bus.redis.cluster import RedisClusterAdapter
from sockudo.bus.redis.options import RedisClusterOptions
from sockudo.config.sections.adapter import RedisClusterAdapterSettings
from sockudo.errors import DriverError
from sockudo.redis_client.options import RedisNodes, RedisTiming
from tests.contracts.adapter import joined
from tests.fakes.inbox import RecordingInbox
from tests.servers.ports import free_port
from tests.servers.redis_cluster import ClusterNode, RedisClusterProcesses
from tests.servers.redis_server import RedisProcess

IMPATIENT = RedisTiming(connect_timeout=1, probe_interval=0.2, probes=3)
SETTING = "adapter.cluster.nodes"
PREFIX = "sockudo_cluster:"

Node = tuple[RedisClusterAdapter, RecordingInbox]


def adapter_at(*urls: str, password: str | None = None) -> RedisClusterAdapter:
    nodes = RedisNodes(urls, SETTING, password=password)
    return RedisClusterAdapter(RedisClusterOptions(RedisClusterAdapterSettings(), nodes, IMPATIENT))


@asynccontextmanager
async def two_nodes(cluster: RedisClusterProcesses) -> AsyncIterator[list[Node]]:
    nodes = [(adapter_at(*cluster.urls), RecordingInbox()) for _ in range(2)]
    try:
        for adapter, inbox in nodes:
            await adapter.start(inbox)
        yield nodes
    finally:
        for adapter, _ in nodes:
            await adapter.aclose()


class Traffic:
    """Numbered messages to a topic, for as long as it runs."""

    def __init__(self, adapter: RedisClusterAdapter, topic: str) -> None:
        self._adapter = adapter
        self._topic = topic
        self._numbers: Iterator[int] = count()
        self._task = asyncio.get_running_loop().create_task(self._publish())

    async def _publish(self) -> None:
        while True:
            for _ in range(5):
                self._adapter.publish(self._topic, b"%08d" % next(self._numbers))
            await asyncio.sleep(0.002)

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        self._adapter.publish(self._topic, b"end")


def heard_on(inbox: RecordingInbox, topic: str) -> list[bytes]:
    return [data for heard, data in inbox.messages if heard == topic]


async def wait_for(inbox: RecordingInbox, is_true: Callable[[], Any]) -> None:
    """Return once it is true; looks after each message. There must be traffic."""
    async with asyncio.timeout(30):
        while not is_true():
            await inbox.wait_for_messages(len(inbox.messages) + 1)


async def wait_for_more(inbox: RecordingInbox, topic: str) -> None:
    """Return when a hundred more messages were heard on a topic."""
    enough = len(heard_on(inbox, topic)) + 100
    await wait_for(inbox, lambda: len(heard_on(inbox, topic)) >= enough)


def assert_in_order(data: list[bytes]) -> None:
    assert data == sorted(set(data))


async def in_thread(work: Callable[..., Any], *words: Any) -> Any:
    return await asyncio.to_thread(work, *words)


def topics_of(cluster: RedisClusterProcesses, master: ClusterNode, *, ours: bool) -> str:
    """Return a topic that a master serves, or one that it does not."""
    return next(f"t{number}" for number in range(1000) if (cluster.master_of(f"{PREFIX}t{number}") is master) is ours)


async def test_a_slot_that_moves_under_traffic_is_followed(own_redis_cluster: RedisClusterProcesses) -> None:
    cluster = own_redis_cluster
    async with two_nodes(cluster) as nodes:
        (first, lost), (second, heard) = nodes
        source = await in_thread(cluster.master_of, f"{PREFIX}t")
        other = await in_thread(lambda: topics_of(cluster, source, ours=False))
        target = await in_thread(cluster.master_of, f"{PREFIX}{other}")
        await joined(second, "t")
        await joined(second, other)
        traffic, steady = Traffic(first, "t"), Traffic(first, other)
        for round_number, (old, new) in enumerate([(source, target), (target, source)], 1):
            await heard.wait_for_messages(len(heard.messages) + 100)
            await in_thread(cluster.move_slot, f"{PREFIX}t", new)
            await heard.wait_for_restoration(round_number)
            assert await in_thread(cluster.master_of, f"{PREFIX}t") is new is not old
            await wait_for_more(heard, "t")
        await traffic.end()
        await steady.end()
        await wait_for(heard, lambda: heard_on(heard, "t")[-1] == heard_on(heard, other)[-1] == b"end")
        assert_in_order(heard_on(heard, "t"))
        # The others were not disturbed.
        assert heard_on(heard, other)[:-1] == [b"%08d" % number for number in range(len(heard_on(heard, other)) - 1)]
        assert len(heard.losses) == heard.restorations == 2
        # Who had joined nothing there has missed nothing.
        assert lost.losses == []
        assert 0 < first.counts.refused < 2000


async def test_when_a_master_dies_its_topics_move_to_its_replica(own_redis_cluster: RedisClusterProcesses) -> None:
    cluster = own_redis_cluster
    async with two_nodes(cluster) as nodes:
        (first, lost), (second, heard) = nodes
        master = await in_thread(cluster.master_of, f"{PREFIX}t")
        other = await in_thread(lambda: topics_of(cluster, master, ours=False))
        beside = await in_thread(lambda: topics_of(cluster, master, ours=True))
        await joined(second, "t")
        await joined(second, other)
        traffic, steady = Traffic(first, "t"), Traffic(first, other)
        await heard.wait_for_messages(100)
        master.kill()
        await heard.wait_for_loss()
        assert not second.is_connected
        while_lost = len(heard_on(heard, other))
        # Done at once, because nobody can confirm it.
        waiting = second.subscribe(beside)
        assert waiting is not None
        assert waiting.done()
        await wait_for(heard, lambda: heard.restorations == lost.restorations == 1)
        assert len(heard_on(heard, other)) > while_lost + 100
        await wait_for_more(heard, "t")
        await traffic.end()
        await steady.end()
        await wait_for(heard, lambda: heard_on(heard, "t")[-1] == heard_on(heard, other)[-1] == b"end")
        assert_in_order(heard_on(heard, "t"))
        assert heard_on(heard, other)[:-1] == [b"%08d" % number for number in range(len(heard_on(heard, other)) - 1)]
        assert [(len(inbox.losses), inbox.restorations) for _, inbox in nodes] == [(1, 1), (1, 1)]
        assert first.counts.dropped > 0


@pytest.mark.parametrize("how", ["FORCE", ""])
async def test_a_failover_by_hand_is_followed(how: str, own_redis_cluster: RedisClusterProcesses) -> None:
    cluster = own_redis_cluster
    async with two_nodes(cluster) as nodes:
        (first, _), (second, heard) = nodes
        master = await in_thread(cluster.master_of, f"{PREFIX}t")
        replica = await in_thread(cluster.replica_of, master)
        await joined(second, "t")
        traffic = Traffic(first, "t")
        await heard.wait_for_messages(100)
        await in_thread(replica.cli, "CLUSTER", "FAILOVER", *([how] if how else []))
        await wait_for(heard, lambda: heard.restorations)
        after = len(heard.messages)
        await heard.wait_for_messages(after + 100)
        assert await in_thread(cluster.master_of, f"{PREFIX}t") is replica
        await traffic.end()
        await wait_for(heard, lambda: heard.messages[-1][1] == b"end")
        assert_in_order(heard_on(heard, "t"))
        assert len(heard.losses) == heard.restorations == 1


async def test_a_master_that_hangs_is_replaced(own_redis_cluster: RedisClusterProcesses) -> None:
    cluster = own_redis_cluster
    async with two_nodes(cluster) as nodes:
        (first, lost), (second, heard) = nodes
        master = await in_thread(cluster.master_of, f"{PREFIX}t")
        await joined(second, "t")
        traffic = Traffic(first, "t")
        await heard.wait_for_messages(100)
        master.pause()
        await wait_for_both(nodes)
        after = len(heard.messages)
        await heard.wait_for_messages(after + 100)
        # It wakes up as a master, and learns that it is none.
        master.resume()
        await heard.wait_for_messages(after + 1000)
        await traffic.end()
        await wait_for(heard, lambda: heard.messages[-1][1] == b"end")
        assert_in_order(heard_on(heard, "t"))
        assert [(len(inbox.losses), inbox.restorations) for inbox in (lost, heard)] == [(1, 1), (1, 1)]


async def wait_for_both(nodes: list[Node], times: int = 1) -> None:
    """Servers take their time to agree."""
    async with asyncio.timeout(30):
        for _, inbox in nodes:
            while inbox.restorations < times:
                try:
                    await inbox.wait_for_restoration(times)
                except TimeoutError:
                    continue


async def test_unserved_slots_are_a_loss_and_others_go_on(
    own_redis_cluster: RedisClusterProcesses,
) -> None:
    cluster = own_redis_cluster
    for node in cluster.nodes:
        await in_thread(node.cli, "CONFIG", "SET", "cluster-require-full-coverage", "no")
    async with two_nodes(cluster) as nodes:
        (first, lost), (second, heard) = nodes
        master = await in_thread(cluster.master_of, f"{PREFIX}t")
        other = await in_thread(lambda: topics_of(cluster, master, ours=False))
        replica = await in_thread(cluster.replica_of, master)
        await joined(second, "t")
        replica.kill()
        master.kill()
        await heard.wait_for_loss()
        await lost.wait_for_loss()
        await joined(second, other)
        first.publish(other, b"1")
        first.publish("t", b"2")
        assert await heard.wait_for_messages(1) == [(other, b"1")]
        assert first.counts.dropped == 1
        await in_thread(master.start)
        await wait_for_both(nodes)
        first.publish("t", b"3")
        assert await heard.wait_for_messages(2) == [(other, b"1"), ("t", b"3")]


async def test_topics_of_living_masters_work_while_one_is_away(
    own_redis_cluster: RedisClusterProcesses,
) -> None:
    cluster = own_redis_cluster
    async with two_nodes(cluster) as nodes:
        (first, lost), (second, heard) = nodes
        master = await in_thread(cluster.master_of, f"{PREFIX}t")
        other = await in_thread(lambda: topics_of(cluster, master, ours=False))
        (await in_thread(cluster.replica_of, master)).kill()
        living = await in_thread(cluster.master_of, f"{PREFIX}{other}")
        # The living master has not confirmed the topic yet when the bus is lost.
        living.pause()
        joining = second.subscribe(other)
        master.kill()
        await heard.wait_for_loss()
        await lost.wait_for_loss()
        assert joining is not None
        assert not joining.done()
        living.resume()
        await joining
        assert not first.is_connected
        first.publish(other, b"1")
        assert await heard.wait_for_messages(1) == [(other, b"1")]
        # A further subscriber waits for what the living master took before.
        caught_up = second.subscribe(other)
        assert caught_up is not None
        assert not caught_up.done()
        await caught_up


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
async def test_a_connection_that_is_cut_is_renewed(kind: str, own_redis_cluster: RedisClusterProcesses) -> None:
    cluster = own_redis_cluster
    async with two_nodes(cluster) as nodes:
        (first, _), (second, heard) = nodes
        await joined(second, "t")
        master = await in_thread(cluster.master_of, f"{PREFIX}t")
        await in_thread(master.cli, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        await wait_for_both(nodes)
        first.publish("t", b"1")
        assert await heard.wait_for_messages(1) == [("t", b"1")]
        assert [(len(inbox.losses), inbox.restorations) for _, inbox in nodes] == [(1, 1), (1, 1)]


async def test_topics_can_be_left_and_joined_while_their_slot_moves(own_redis_cluster: RedisClusterProcesses) -> None:
    cluster = own_redis_cluster
    async with two_nodes(cluster) as nodes:
        (first, _), (second, heard) = nodes
        source = await in_thread(cluster.master_of, f"{PREFIX}t")
        other = await in_thread(lambda: topics_of(cluster, source, ours=False))
        target = await in_thread(cluster.master_of, f"{PREFIX}{other}")
        await joined(second, "t")
        moving = asyncio.create_task(asyncio.to_thread(cluster.move_slot, f"{PREFIX}t", target))
        while not moving.done():
            second.unsubscribe("t")
            await joined(second, "t")
        await moving
        # The last one may have been confirmed by the old master; the new one has to take over.
        await wait_until_served(first, second, heard, "t")
        second.unsubscribe("t")
        await joined(second, other)
        seen = len(heard.messages)
        first.publish("t", b"nobody")
        first.publish(other, b"1")
        messages = await heard.wait_for_messages(seen + 1)
        assert messages[seen:] == [(other, b"1")]


async def wait_until_served(
    first: RedisClusterAdapter, second: RedisClusterAdapter, heard: RecordingInbox, topic: str
) -> None:
    traffic = Traffic(first, topic)
    before = len(heard.messages)
    await wait_for(heard, lambda: second.is_connected and len(heard.messages) > before)
    await traffic.end()
    await wait_for(heard, lambda: heard.messages[-1:] == [(topic, b"end")])


# Starting


async def refusal(adapter: RedisClusterAdapter) -> str:
    with pytest.raises(DriverError) as caught:
        await adapter.start(RecordingInbox())
    assert not adapter.is_connected
    await adapter.aclose()
    return str(caught.value)


async def test_absent_nodes_are_an_error_that_names_the_setting() -> None:
    text = await refusal(adapter_at(f"redis://127.0.0.1:{free_port()}", f"redis://127.0.0.1:{free_port()}"))
    assert text.count("Connection refused") == 2
    assert SETTING in text


async def test_one_node_that_answers_is_enough(redis_cluster: RedisClusterProcesses) -> None:
    adapter = adapter_at(f"redis://127.0.0.1:{free_port()}", redis_cluster.nodes[4].url)
    await adapter.start(RecordingInbox())
    assert adapter.is_connected
    await adapter.aclose()


async def test_a_redis_that_is_no_cluster_is_an_error(redis_server: RedisProcess) -> None:
    assert "cluster support disabled" in await refusal(adapter_at(redis_server.url))


async def test_a_cluster_that_is_not_whole_is_an_error(tmp_path: Any) -> None:
    node = ClusterNode(tmp_path / "node")
    try:
        await in_thread(node.start)
        assert "nobody serves 16384 slots" in await refusal(adapter_at(node.url))
    finally:
        node.stop()


async def test_a_password_that_is_refused_is_an_error_without_it(redis_acl: RedisProcess) -> None:
    text = await refusal(adapter_at(redis_acl.url, password="wrong-secret"))
    assert "WRONGPASS" in text
    assert "wrong-secret" not in text


def test_no_representation_shows_a_secret() -> None:
    section = RedisClusterAdapterSettings(nodes=("redis://u:s3cret@h",))
    options = RedisClusterOptions(section, RedisNodes(section.nodes, password="s3cret"))
    assert "s3cret" not in repr(options)
    assert "s3cret" not in repr(RedisClusterAdapter(options))
