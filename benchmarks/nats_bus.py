"""Measure what a message over NATS costs this process: our client beside `nats-py`, and Redis as the yardstick.

    python benchmarks/nats_bus.py [--messages 20000] [--rounds 3] [--redis redis-server]

Two nodes live in one event loop of one process: one publishes, the other hears. A tick publishes one message or ten,
of 200 bytes, and the next tick begins when all of them have arrived, so nothing overlaps and every message pays for its
system calls. Printed is the CPU time of this process for one message, publishing and receiving together; the broker is
a process of its own and not counted. Redis is spoken to as cheaply as Python can: `hiredis` on a bare transport.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, cast

import hiredis
import nats
import uvloop

from sockudo.bus.nats.adapter import NatsAdapter
from sockudo.config.sections.adapter import NatsAdapterSettings

TOPIC = "app/1:private-orders"
DATA = b"x" * 200
Publish: TypeAlias = Callable[[], None]
Heard: TypeAlias = Callable[[], None]


class Counter:
    """An inbox that counts and can be waited for."""

    def __init__(self) -> None:
        self._left = 0
        self._done: asyncio.Future[None] | None = None

    def received(self, topic: str = "", data: bytes = b"") -> None:
        self._left -= 1
        if self._left == 0 and self._done is not None:
            self._done.set_result(None)

    def lost(self, reason: str) -> None:
        raise SystemExit(f"the bus was lost: {reason}")

    def restored(self) -> None:
        pass

    def expect(self, count: int) -> asyncio.Future[None]:
        self._left = count
        self._done = asyncio.get_running_loop().create_future()
        return self._done


@asynccontextmanager
async def ours(port: int, counter: Counter) -> AsyncIterator[Publish]:
    options = NatsAdapterSettings(servers=(f"nats://127.0.0.1:{port}",))
    nodes = [NatsAdapter(options), NatsAdapter(options)]
    for node in nodes:
        await node.start(counter)
    joined = nodes[1].subscribe(TOPIC)
    assert joined is not None
    await joined
    yield lambda: nodes[0].publish(TOPIC, DATA)
    for node in nodes:
        await node.aclose()


@asynccontextmanager
async def nats_py(port: int, counter: Counter) -> AsyncIterator[Publish]:
    nodes = [await nats.connect(f"nats://127.0.0.1:{port}", no_echo=True) for _ in range(2)]

    async def heard(message: Any) -> None:
        counter.received()

    await nodes[1].subscribe("sockudo.topic", cb=heard)
    await nodes[1].flush()
    publisher = nodes[0]

    def publish() -> None:
        # Its `publish` is a coroutine that, with an open connection, never waits: step it without a task.
        try:
            publisher.publish("sockudo.topic", DATA).send(None)
        except StopIteration:
            return
        raise SystemExit("nats-py waited while publishing")

    yield publish
    for node in nodes:
        await node.close()


class RedisConnection(asyncio.Protocol):
    """The least that a bus over Redis can do."""

    def __init__(self, counter: Counter) -> None:
        self._reader = hiredis.Reader()
        self._received = counter.received
        self._out: list[bytes] = []
        self.joined = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            if type(reply) is not list:
                continue
            if reply[0] == b"message":
                self._received(reply[1], reply[2])
            elif not self.joined.done():
                self.joined.set_result(None)

    def send(self, *words: Any) -> None:
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(hiredis.pack_command(cast(Any, words)))

    def _flush(self) -> None:
        out, self._out = self._out, []
        self._transport.write(b"".join(out))


@asynccontextmanager
async def redis(port: int, counter: Counter) -> AsyncIterator[Publish]:
    loop = asyncio.get_running_loop()
    nodes = [(await loop.create_connection(lambda: RedisConnection(counter), "127.0.0.1", port))[1] for _ in range(2)]
    nodes[1].send(b"SUBSCRIBE", TOPIC.encode())
    await nodes[1].joined
    yield lambda: nodes[0].send(b"PUBLISH", TOPIC.encode(), DATA)
    for node in nodes:
        node._transport.close()


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if process.poll() is not None:
                        raise SystemExit(f"{command[0]} does not start") from None
                    time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(20)


async def measure(client: Any, port: int, messages: int, per_tick: int) -> float:
    """Return microseconds of CPU for one message."""
    counter = Counter()
    async with client(port, counter) as publish:
        await one_run(counter, publish, messages // 10, per_tick)
        before = time.process_time()
        await one_run(counter, publish, messages, per_tick)
        return (time.process_time() - before) / messages * 1e6


async def one_run(counter: Counter, publish: Publish, messages: int, per_tick: int) -> None:
    for _ in range(messages // per_tick):
        arrived = counter.expect(per_tick)
        for _ in range(per_tick):
            publish()
        await arrived


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--redis", default="redis-server")
    arguments = parser.parse_args()
    beside = Path(sys.executable).parent / "nats-server"
    nats_server = str(beside) if beside.exists() else shutil.which("nats-server") or "nats-server"
    nats_port, redis_port = free_port(), free_port()
    clients = {"redis, hiredis": (redis, redis_port), "nats, ours": (ours, nats_port), "nats-py": (nats_py, nats_port)}
    figures: dict[tuple[str, int], list[float]] = {}
    with (
        running([nats_server, "-a", "127.0.0.1", "-p", str(nats_port)], nats_port),
        running([arguments.redis, "--port", str(redis_port), "--save", "", "--bind", "127.0.0.1"], redis_port),
    ):
        for _ in range(arguments.rounds):
            for name, (client, port) in clients.items():
                for per_tick in (1, 10):
                    cost = uvloop.run(measure(client, port, arguments.messages, per_tick))
                    figures.setdefault((name, per_tick), []).append(cost)
    for (name, per_tick), costs in figures.items():
        print(f"{name:16} {per_tick:3} a tick: {statistics.median(costs):6.1f} us a message")


if __name__ == "__main__":
    main()
