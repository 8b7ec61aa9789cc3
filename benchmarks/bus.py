"""Measure what a message costs on its way over the bus: the CPU of publishing and receiving it, in one process.

    python benchmarks/bus.py --driver redis --url redis://127.0.0.1:6379 [--seconds 2] [--rounds 3]

The server of the bus must run already and do nothing else. Two nodes in one event loop: one publishes so many messages
in a tick and goes on when the other has received them. `redis-py` is the same done with that library, to compare with.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any

import uvloop

from sockudo.bus.base import Adapter, Inbox

PAYLOAD = b"x" * 120
TOPIC = "app/1/presence-room-1"


class RedisPy:
    """The least that a driver on redis-py can do: a task that reads, and a task for each tick's messages."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis

        self._client: Any = Redis.from_url(url)
        self._pubsub = self._client.pubsub()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[tuple[str, bytes]] = []

    async def start(self, inbox: Inbox) -> None:
        await self._pubsub.subscribe("bench")
        self._tasks.add(asyncio.create_task(self._read(inbox)))

    async def _read(self, inbox: Inbox) -> None:
        async for message in self._pubsub.listen():
            if message["type"] == "message":
                inbox.received(message["channel"].decode(), message["data"])

    def publish(self, topic: str, data: bytes) -> None:
        if not self._waiting:
            task = asyncio.create_task(self._send())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._waiting.append((topic, data))

    async def _send(self) -> None:
        messages, self._waiting = self._waiting, []
        if len(messages) == 1:
            await self._client.publish(*messages[0])
            return
        pipeline = self._client.pipeline(transaction=False)
        for topic, data in messages:
            pipeline.publish(topic, data)
        await pipeline.execute()

    def subscribe(self, topic: str) -> asyncio.Future[None] | None:
        self._tasks.add(asyncio.create_task(self._pubsub.subscribe(topic)))
        return None

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._pubsub.aclose()
        await self._client.aclose()


def redis(url: str) -> Adapter:
    from sockudo.bus.redis.adapter import RedisAdapter
    from sockudo.bus.redis.options import RedisOptions
    from sockudo.config.sections.adapter import RedisAdapterSettings
    from sockudo.redis_client.options import RedisTarget

    return RedisAdapter(RedisOptions(RedisAdapterSettings(prefix="bench:"), RedisTarget(url)))


def redis_cluster(url: str) -> Adapter:
    from sockudo.bus.redis.cluster import RedisClusterAdapter
    from sockudo.bus.redis.options import RedisClusterOptions
    from sockudo.config.sections.adapter import RedisClusterAdapterSettings
    from sockudo.redis_client.options import RedisNodes

    return RedisClusterAdapter(RedisClusterOptions(RedisClusterAdapterSettings(prefix="bench:"), RedisNodes((url,))))


def rabbitmq(url: str) -> Adapter:
    from sockudo.bus.rabbitmq.adapter import RabbitAdapter
    from sockudo.config.sections.rabbitmq import RabbitAdapterSettings

    return RabbitAdapter(RabbitAdapterSettings(url=url, prefix="bench"))


def kafka(broker: str) -> Adapter:
    from sockudo.bus.kafka.adapter import KafkaAdapter
    from sockudo.config.sections.kafka import KafkaAdapterSettings

    return KafkaAdapter(KafkaAdapterSettings(brokers=(broker,), prefix="bench"))


DRIVERS: dict[str, Callable[[str], Any]] = {
    "redis": redis,
    "redis-cluster": redis_cluster,
    "redis-py": RedisPy,
    "rabbitmq": rabbitmq,
    "kafka": kafka,
}


class Receiver:
    """Counts messages, and tells when the last one of a tick is there."""

    def __init__(self) -> None:
        self.missing = 0
        self.all_here = asyncio.Event()

    def received(self, topic: str, data: bytes) -> None:
        self.missing -= 1
        if self.missing == 0:
            self.all_here.set()

    def lost(self, reason: str) -> None:
        raise SystemExit(reason)

    def restored(self) -> None:
        """Cannot happen."""


async def measure(driver: str, url: str, per_tick: int, seconds: float) -> tuple[float, float]:
    """Return the CPU (us) a message and the messages a second."""
    sender, receiver = DRIVERS[driver](url), DRIVERS[driver](url)
    heard = Receiver()
    await sender.start(Receiver())
    await receiver.start(heard)
    joined = receiver.subscribe(TOPIC)
    await (joined if joined is not None else asyncio.sleep(0.5))
    count, begin = 0, time.monotonic()
    cpu = time.process_time()
    while time.monotonic() - begin < seconds:
        heard.missing = per_tick
        heard.all_here.clear()
        for _ in range(per_tick):
            sender.publish(TOPIC, PAYLOAD)
        await heard.all_here.wait()
        count += per_tick
    spent, lasted = time.process_time() - cpu, time.monotonic() - begin
    await sender.aclose()
    await receiver.aclose()
    return spent / count * 1e6, count / lasted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", choices=DRIVERS, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    for per_tick in (1, 10, 100):
        rounds = [uvloop.run(measure(args.driver, args.url, per_tick, args.seconds)) for _ in range(args.rounds)]
        cpu, rate = (statistics.median(values) for values in zip(*rounds, strict=True))
        print(f"{args.driver}: {per_tick} in a tick: {cpu:.1f} us of CPU a message, {rate:,.0f} messages/s")


if __name__ == "__main__":
    main()
