"""Webhooks of three server processes with their queue in Redis, while endpoints fail and nodes are killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.clients.client import PusherClient, http
from tests.servers.ports import free_port
from tests.servers.redis_server import RedisProcess
from tests.servers.server import ServerProcess, app, server_process
from tests.servers.webhook_receiver import Received, WebhookReceiver, never, webhook_receiver

ROOM = "presence-room"
KILLS = 2
TRANSITIONS = ("channel_occupied", "channel_vacated", "member_added", "member_removed")
_LOST = (OSError, EOFError, ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError, AssertionError)


class Node:
    """A server process on a port of its own, which can be killed and started again."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        folder.mkdir()
        self.port = free_port()
        self._folder = folder
        self._settings = settings | {"port": self.port}
        self._running: contextlib.ExitStack | None = None
        self.process: ServerProcess

    async def start(self) -> None:
        self._running = contextlib.ExitStack()
        started = server_process(self._folder, **self._settings)
        self.process = await asyncio.to_thread(self._running.enter_context, started)

    async def kill(self) -> None:
        """End it with SIGKILL."""
        assert self._running is not None
        await asyncio.to_thread(self._running.close)

    async def stop(self) -> None:
        """End it in order."""
        self.process.send_signal()
        assert await self.process.exit_status() == 0


def document(redis: RedisProcess, *hooks: dict[str, Any]) -> dict[str, Any]:
    return {
        "app_manager": {"array": {"apps": [app(webhooks=list(hooks))]}},
        "queue": {"driver": "redis", "redis": {"url_override": redis.url}},
        "adapter": {
            "driver": "redis",
            "redis": {"redis_pub_options": {"url": redis.url}},
            "cluster_health": {"heartbeat_interval_ms": 400, "node_timeout_ms": 1500, "cleanup_interval_ms": 1000},
        },
        "webhooks": {"hold_ms": 1000, "request_timeout_ms": 1000},
    }


@contextlib.asynccontextmanager
async def running(folder: Path, settings: dict[str, Any], count: int = 3) -> AsyncIterator[list[Node]]:
    nodes = [Node(folder / f"node-{number}", **settings) for number in range(count)]
    try:
        for node in nodes:
            await node.start()
        yield nodes
    finally:
        for node in nodes:
            await node.kill()


class Crowd:
    """Users who come to a room and go, now on this node and now on that one; those on a dead node come back."""

    def __init__(self, nodes: list[Node], count: int, random_numbers: random.Random) -> None:
        self._nodes = nodes
        self._random = random_numbers
        self._tasks = [asyncio.create_task(self._run(f"user{number}")) for number in range(count)]

    async def leave(self) -> None:
        """Let everybody go for good."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, user_id: str) -> None:
        while True:
            with contextlib.suppress(*_LOST):
                async with PusherClient(self._random.choice(self._nodes).port) as client:
                    await client.subscribe(ROOM, {"user_id": user_id})
                    await client.ask_for(f"own-{user_id}")
                    await asyncio.sleep(self._random.uniform(0.2, 2.5))
            await asyncio.sleep(self._random.uniform(0.05, 2.0))


def told(receiver: WebhookReceiver) -> dict[tuple[str, str | None], list[bool]]:
    """Return what was said of each channel and member, in order; requests that were tried again count once."""
    found: dict[tuple[str, str | None], list[bool]] = defaultdict(list)
    bodies: set[bytes] = set()
    for one in receiver.requests:
        if 200 <= one.status < 300 and one.body not in bodies:
            bodies.add(one.body)
            for event in one.events:
                if event["name"] in TRANSITIONS:
                    key = event["channel"], event.get("user_id")
                    found[key].append(event["name"] in ("channel_occupied", "member_added"))
    return found


# Eight users, three servers and two receivers: a server without a core counts as dead.
@pytest.mark.alone
async def test_every_event_arrives_in_order_despite_failures_and_killed_nodes(
    own_redis: RedisProcess, tmp_path: Path
) -> None:
    async with webhook_receiver() as good, webhook_receiver() as bad:
        hooks = [{"url": one.url, "event_types": [*TRANSITIONS, "client_event"]} for one in (good, bad)]
        async with running(tmp_path, document(own_redis, *hooks)) as nodes:
            crowd = Crowd(nodes, 8, random.Random(7))
            sender = asyncio.create_task(_send(nodes[0], 300))
            bad.answer = never
            await asyncio.sleep(3)
            await nodes[1].kill()
            bad.answer = lambda _: 500
            await asyncio.sleep(3)
            await nodes[1].start()
            await nodes[2].kill()
            # Deliveries to the other one go on meanwhile.
            before = len(good.requests)
            await good.until(lambda: len(good.requests) > before + 5, within=15)
            bad.answer = lambda _: 200
            await nodes[2].start()
            await sender
            await asyncio.sleep(2)
            await crowd.leave()
            for one in (good, bad):
                await one.until(lambda: _is_empty(one) and len(_numbers(one)) == 300, within=60)  # noqa: B023 - here
            for one in (good, bad):
                # Sent by one client through one node: in order, whatever was tried how often.
                assert list(dict.fromkeys(_numbers(one, distinct=False))) == list(range(300))
                assert _late(one) == []
                for request in one.requests:
                    request.check()
            for one in (good, bad):
                reports = told(one)
                assert all(report[0] for report in reports.values()), "who was told to be gone has come before"
                # A node that is killed when Redis has an event, and it has not heard so, leaves it to be told again.
                assert sum(map(_repeats, reports.values())) <= KILLS, reports


async def test_jobs_survive_when_all_servers_end_and_start_again(own_redis: RedisProcess, tmp_path: Path) -> None:
    async with webhook_receiver() as receiver:
        receiver.answer = lambda _: 503
        hook = {"url": receiver.url, "event_types": ["channel_occupied", "client_event"]}
        async with running(tmp_path, document(own_redis, hook), 2) as nodes:
            await _send(nodes[0], 20)
            await receiver.until(lambda: len(receiver.requests) >= 1)
            await nodes[0].kill()
            await nodes[1].stop()
            await nodes[1].kill()
            receiver.answer = lambda _: 200
            await nodes[1].start()
            await receiver.until(lambda: len(_numbers(receiver)) == 20, within=30)
            assert list(dict.fromkeys(_numbers(receiver, distinct=False))) == list(range(20))


async def _send(node: Node, count: int) -> None:
    """Send numbered client events."""
    async with PusherClient(node.port) as client:
        await client.subscribe("private-numbers")
        for number in range(count):
            await client.trigger("private-numbers", "client-n", number)
            await asyncio.sleep(0.04)
        await client.expect_nothing()
        # The last batch is on its way to Redis.
        await asyncio.sleep(0.5)


def _numbers(receiver: WebhookReceiver, *, distinct: bool = True) -> list[int]:
    numbers = [int(event["data"]) for event in receiver.events if event["name"] == "client_event"]
    return list(dict.fromkeys(numbers)) if distinct else numbers


def _is_empty(receiver: WebhookReceiver) -> bool:
    """Tell whether everybody is gone, by what was received."""
    return all(not reports[-1] for reports in told(receiver).values())


def _repeats(reports: list[bool]) -> int:
    """Return how often the same was said twice in a row."""
    return sum(one == other for one, other in pairwise(reports))


def _late(receiver: WebhookReceiver) -> list[Received]:
    """Return the requests whose events were older than libraries take."""
    offset = time.time() - asyncio.get_running_loop().time()
    return [one for one in receiver.requests if one.at + offset - json.loads(one.body)["time_ms"] / 1000 > 300]


async def test_clients_are_served_and_events_wait_without_the_queue(own_redis: RedisProcess, tmp_path: Path) -> None:
    async with webhook_receiver() as receiver:
        hook = {"url": receiver.url, "event_types": ["client_event"]}
        settings = document(own_redis, hook) | {"adapter": {"driver": "local"}}
        async with running(tmp_path, settings, 1) as nodes:
            await _send(nodes[0], 3)
            await receiver.until(lambda: len(_numbers(receiver)) == 3)
            await _until_up_says(nodes[0], b"OK")
            await asyncio.to_thread(own_redis.kill)
            await _until_up_says(nodes[0], b"DEGRADED")
            receiver.requests.clear()
            await _send(nodes[0], 20)
            assert receiver.requests == []
            await asyncio.to_thread(own_redis.start)
            await receiver.until(lambda: len(_numbers(receiver)) == 20, within=30)
            await _until_up_says(nodes[0], b"OK")


async def _until_up_says(node: Node, word: bytes) -> None:
    async with asyncio.timeout(40):
        while True:
            answer = await http(node.port, "GET", "/up")
            assert answer.status == 200
            if answer.body == word:
                return
            await asyncio.sleep(0.1)
