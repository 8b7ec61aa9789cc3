"""Somebody who can write to the bus of a running server, and means no good."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sized
from functools import partial
from typing import Any, Final

import msgspec

from sockudo.assembly.run import COLLECT_AFTER
from sockudo.cluster.messages import envelope
from sockudo.cluster.messages.state import AppState, Delta, Heartbeat, SnapshotPart, encode
from sockudo.cluster.messages.topics import EVERYONE, node_topic
from tests.fakes.memory_bus import MemoryAdapter, MemoryBus
from tests.servers.server import APP_ID
from tests.support.turns import WatchedServer, watched_server

NODE: Final = "00000000000000ee"
CHANNELS: Final = 200_000
_CHANNELS_OF_A_PART: Final = 2000
_LIFE: Final = 0.3
_READ_BYTES: Final = 64 * 1024


class Deaf:
    """An inbox that hears nothing."""

    def received(self, topic: str, data: bytes) -> None:
        """Do nothing."""

    def lost(self, reason: str) -> None:
        """Do nothing."""

    def restored(self) -> None:
        """Do nothing."""


class Intruder:
    """A place on the bus, from which a test says whatever it likes."""

    def __init__(self, server: WatchedServer, adapter: MemoryAdapter) -> None:
        self.server = server
        self._adapter = adapter

    async def say(self, *messages: bytes, topic: str = EVERYONE) -> None:
        """Publish messages; in a turn of the server's loop arrives as much of them as a socket brings in one read."""

        async def publish(some: list[bytes]) -> None:
            for message in some:
                self._adapter.publish(topic, message)

        for read in _reads(messages):
            await self.server.do(partial(publish, read))

    async def live(self) -> None:
        """Give signs of life, so that what was said is not forgotten."""
        while True:
            await self.say(heartbeat())
            await asyncio.sleep(_LIFE)

    async def say_snapshot(self, apps: Iterable[Mapping[str, AppState]], number: int = 0) -> None:
        """Send the server a snapshot of which each part is given."""
        parts = list(apps)
        await self.say(
            *(
                said(envelope.SNAPSHOT, SnapshotPart(number, index, index == len(parts) - 1, dict(part)))
                for index, part in enumerate(parts)
            ),
            topic=node_topic(self.cluster_id),
        )

    @property
    def cluster_id(self) -> str:
        """The name of the server on the bus."""
        return str(self.server.running.assembly.node.peers.node_id)  # type: ignore[attr-defined]  # it is a cluster

    async def occupied(self) -> int:
        """Return how many channels of the app the server knows to be occupied."""

        async def count() -> int:
            channels = self.server.running.assembly.node.peers.replica.channels(APP_ID)
            return len(channels) if isinstance(channels, Sized) else 0

        return await self.server.do(count)


def _reads(messages: Iterable[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    size = 0
    for message in messages:
        some.append(message)
        # A bus puts the length and the topic of a message before it.
        size += len(message) + len(EVERYONE) + 20
        if size > _READ_BYTES:
            yield some
            some, size = [], 0
    yield some


def said(kind: int, message: msgspec.Struct, node_id: str = NODE) -> bytes:
    """Return a message as a node would send it."""
    return envelope.header(kind, node_id) + encode(message)


def heartbeat(node_id: str = NODE, *, number: int = 0, hello: bool = False) -> bytes:
    """Return a sign of life."""
    beat = Heartbeat(number, hello, 0.0, "host", 1, "1", 0.0, 1, 1, 1, 0.0)
    return said(envelope.HEARTBEAT, beat, node_id)


def delta(number: int, state: AppState) -> bytes:
    """Return a delta of the app."""
    return said(envelope.DELTA, Delta(number, {APP_ID: state}))


def channel_names(count: int) -> list[list[str]]:
    """Return the names of many channels, in lists for one message each."""
    names = [f"channel-{number}" for number in range(count)]
    return [names[start : start + _CHANNELS_OF_A_PART] for start in range(0, count, _CHANNELS_OF_A_PART)]


@contextlib.asynccontextmanager
async def intruder(*apps: Mapping[str, Any], **changes: Any) -> AsyncIterator[Intruder]:
    """Run a watched server on a bus, and be on it too; arguments as for `running_server`."""
    bus = MemoryBus()
    with _garbage_as_in_a_server():
        async with _on(bus, apps, changes) as some:
            yield some


@contextlib.contextmanager
def _garbage_as_in_a_server() -> Iterator[None]:
    """Collect garbage as seldom as `sockudo.assembly.run` lets it be collected."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


@contextlib.asynccontextmanager
async def _on(bus: MemoryBus, apps: Iterable[Mapping[str, Any]], changes: Mapping[str, Any]) -> AsyncIterator[Intruder]:
    async with watched_server(*apps, adapter=bus.adapter(), **changes) as server:
        adapter = bus.adapter()

        async def start() -> None:
            await adapter.start(Deaf())

        await server.do(start)
        some = Intruder(server, adapter)
        living = asyncio.create_task(some.live())
        try:
            yield some
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
