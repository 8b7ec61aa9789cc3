"""The buses that the faults are tried on. One more is one more entry of `BUSES`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import nats
from nats.js.errors import NotFoundError

from tests.servers.nats_server import NatsServerProcess
from tests.servers.redis_cluster import RedisClusterProcesses
from tests.servers.redis_server import RedisProcess

# Nodes notice each other's end, and a silent broker, soon.
NODE_TIMEOUT_MS: Final = 1500
_HEALTH: Final = {
    "heartbeat_interval_ms": 500,
    "node_timeout_ms": NODE_TIMEOUT_MS,
    "cleanup_interval_ms": NODE_TIMEOUT_MS,
}
_CONNECT_MS: Final = 1000
_SCRIPTS: Final = 40
_KEYS_EACH: Final = 5_000


class Broker(Protocol):
    """What moves the messages: a process or several."""

    def start(self) -> None:
        """Start it; it answers when this returns."""

    def kill(self) -> None:
        """End it at once."""

    def stop(self) -> None:
        """End it in order."""

    def log_tail(self) -> str:
        """Return the end of what it wrote."""
        ...


@dataclass(frozen=True)
class Storage:
    """What a broker keeps on disk beside the bus, which never is.

    Attributes:
        folder: where; may be removed while the broker is down.
        keep: store something.
        has_kept: tell whether it is there.
    """

    folder: Path
    keep: Callable[[], Awaitable[None]]
    has_kept: Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Bus:
    """A broker, and how a server is told to use it.

    Attributes:
        port: where clients go, so that each can be given a proxy of its own before it; 0 for a broker that tells
            clients where else to go.
        section: port -> the section `adapter` of the settings, without the times of `cluster_health`.
        storage: None for a broker that keeps nothing.
    """

    broker: Broker
    port: int
    section: Callable[[int], dict[str, Any]]
    storage: Storage | None = None

    def adapter(self, port: int) -> dict[str, Any]:
        """Return the section `adapter` of the settings."""
        return self.section(port) | {"cluster_health": _HEALTH}

    def log_tail(self) -> str:
        """Return the end of what the broker wrote."""
        return self.broker.log_tail()


def _redis(folder: Path) -> Bus:
    data = folder / "data"
    data.mkdir(parents=True)
    broker = RedisProcess(folder, "--dir", str(data), "--appendonly", "yes")

    async def keep() -> None:
        # So much that it refuses most commands for a while when it is back, because it is loading. Bit by bit, because
        # it does nothing else meanwhile.
        script = "for i = 1, ARGV[2] do redis.call('SET', ARGV[1] .. i, string.rep('x', 100)) end"
        for number in range(_SCRIPTS):
            await asyncio.to_thread(broker.cli, "EVAL", script, "0", f"{number}:", str(_KEYS_EACH))

    async def has_kept() -> bool:
        return broker.cli("DBSIZE") == str(_SCRIPTS * _KEYS_EACH)

    def section(port: int) -> dict[str, Any]:
        options = {"url": f"redis://127.0.0.1:{port}"}
        return {"driver": "redis", "redis": {"redis_pub_options": options, "requests_timeout": _CONNECT_MS}}

    return Bus(broker, broker.port, section, Storage(data, keep, has_kept))


def _nats(folder: Path) -> Bus:
    data = folder / "data"
    broker = NatsServerProcess(folder, f'jetstream {{ store_dir: "{data}" }}')

    async def keep() -> None:
        async with await nats.connect(broker.url) as client:
            stream = client.jetstream()
            await stream.add_stream(name="kept", subjects=["kept"])
            await stream.publish("kept", b"1")

    async def has_kept() -> bool:
        async with await nats.connect(broker.url) as client:
            try:
                return (await client.jetstream().stream_info("kept")).state.messages == 1
            except NotFoundError:
                return False

    def section(port: int) -> dict[str, Any]:
        options = {"connection_timeout_ms": _CONNECT_MS, "request_timeout_ms": NODE_TIMEOUT_MS}
        return {"driver": "nats", "nats": {"servers": [f"nats://127.0.0.1:{port}"], **options}}

    return Bus(broker, broker.port, section, Storage(data, keep, has_kept))


def _redis_cluster(folder: Path) -> Bus:
    broker = RedisClusterProcesses(folder)

    def section(_: int) -> dict[str, Any]:
        return {
            "driver": "redis-cluster",
            "cluster": {"nodes": list(broker.urls), "request_timeout_ms": _CONNECT_MS},
        }

    return Bus(broker, 0, section)


BUSES: Final[Mapping[str, Callable[[Path], Bus]]] = {
    "redis": _redis,
    "nats": _nats,
    "redis-cluster": _redis_cluster,
}
# They tell their clients where else to go, past any proxy, so that no node can be parted from them.
_WITHOUT_PROXY: Final = {"redis-cluster"}
BEHIND_A_PROXY: Final = [name for name in BUSES if name not in _WITHOUT_PROXY]
