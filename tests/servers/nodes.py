"""What serves scenarios: one server, or several that act as one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count, cycle
from typing import Any, Final, Protocol

from sockudo.assembly.cluster import bus_from_settings
from sockudo.assembly.server import Assembly
from sockudo.bus.base import Adapter
from sockudo.cluster.cluster import Cluster
from tests.clients.client import ApiClient, PusherClient
from tests.fakes.memory_bus import MemoryBus
from tests.servers.server import RunningServer, app, running_server, settings
from tests.support.waiting import eventually

COUNT: Final = 3
# An app that every cluster has beside those of its scenario.
_BARRIER: Final = {"id": "barrier", "key": "barrier-key", "secret": "barrier-secret"}


class Nodes:
    """What serves. A scenario asks for a port for each client and request, and never knows which node it gets.

    Args:
        own: the port of each node.
        shared: a port on which any of them may answer.

    Attributes:
        assemblies: the nodes that are in this process, for the few questions that only their parts can answer.
    """

    def __init__(self, *own: int, shared: int | None = None, assemblies: Sequence[Assembly] = ()) -> None:
        self.own = own
        self.assemblies = list(assemblies)
        self._next = cycle(own if shared is None else (*own, shared))
        self._barriers = count()

    @property
    def port(self) -> int:
        """The port of the next node."""
        return next(self._next)

    async def settled(self) -> None:
        """Wait until every node knows what has happened on each of them by now, as it is told from one to the other.

        What a node tells arrives in its order: a channel of an app that no scenario uses comes last.
        """
        if len(self.own) == 1:
            return
        channels = {f"barrier-{next(self._barriers)}": port for port in self.own}
        async with contextlib.AsyncExitStack() as stack:
            for channel, port in channels.items():
                client = await stack.enter_async_context(PusherClient(port, _BARRIER["key"], _BARRIER["secret"]))
                await client.subscribe(channel)
            for port in self.own:
                api = ApiClient(port, _BARRIER["id"], _BARRIER["key"], _BARRIER["secret"])
                await eventually(partial(_has, api, channels))


async def _has(api: ApiClient, channels: Iterable[str]) -> bool:
    return set(channels) <= (await api.channels()).keys()


class Serve(Protocol):
    """Starts what serves as one server, however many nodes that takes."""

    def __call__(
        self, *apps: Mapping[str, Any], speed: float = 1, **changes: Any
    ) -> contextlib.AbstractAsyncContextManager[Nodes]:
        """Serve while the context lasts, with a clock `speed` times as fast; other arguments as for `settings`."""
        ...


@contextlib.asynccontextmanager
async def one_node(*apps: Mapping[str, Any], speed: float = 1, **changes: Any) -> AsyncIterator[Nodes]:
    """Serve with a node that is alone."""
    with no_errors_in_callbacks():
        async with running_server(*apps, speed=speed, **changes) as server:
            yield Nodes(server.port, assemblies=[server.assembly])


def nodes_on_memory() -> Serve:
    """Return what serves with three nodes on a bus in this process."""

    def adapters() -> list[Adapter]:
        bus = MemoryBus()
        return [bus.adapter() for _ in range(COUNT)]

    return _nodes_on(adapters)


def nodes_on(adapter: Mapping[str, Any]) -> Serve:
    """Return what serves with three nodes on a bus that the settings of `adapter` describe."""
    return _nodes_on(lambda: adapters_of(adapter))


def adapters_of(adapter: Mapping[str, Any]) -> list[Adapter]:
    """Return an adapter for each node, as the settings of `adapter` ask for it."""
    links = [bus_from_settings(settings(adapter=adapter)) for _ in range(COUNT)]
    return [made for made, _ in links if made is not None]


def _nodes_on(adapters: Callable[[], list[Adapter]]) -> Serve:
    @contextlib.asynccontextmanager
    async def serve(*apps: Mapping[str, Any], speed: float = 1, **changes: Any) -> AsyncIterator[Nodes]:
        with no_errors_in_callbacks():
            async with running_nodes(adapters(), *with_barrier(apps), speed=speed, **changes) as servers:
                assemblies = [server.assembly for server in servers]
                yield Nodes(*(server.port for server in servers), assemblies=assemblies)

    return serve


def with_barrier(apps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return apps, and the one that `Nodes.settled` needs."""
    return [*(apps or [app()]), _BARRIER]


@contextlib.asynccontextmanager
async def running_nodes(
    adapters: Sequence[Adapter], *apps: Mapping[str, Any], speed: float = 1, **changes: Any
) -> AsyncIterator[list[RunningServer]]:
    """Run a node on each of some adapters; they know each other when the context begins."""
    async with contextlib.AsyncExitStack() as stack:
        starting = (
            stack.enter_async_context(running_server(*apps, speed=speed, adapter=adapter, **changes))
            for adapter in adapters
        )
        servers = await asyncio.gather(*starting)
        clusters = [cluster_of(server) for server in servers]
        await eventually(partial(_all_know_all, clusters))
        yield servers


def cluster_of(server: RunningServer) -> Cluster:
    """Return how a server that has an adapter sees the others."""
    cluster = server.assembly.node.peers
    assert isinstance(cluster, Cluster)
    return cluster


async def _all_know_all(clusters: Sequence[Cluster]) -> bool:
    return all(
        len(cluster.nodes) == len(clusters) - 1 and all(peer.is_synced for peer in cluster.nodes.peers())
        for cluster in clusters
    )


@contextlib.contextmanager
def no_errors_in_callbacks() -> Iterator[None]:
    """Check that no callback of the running loop raises: the loop only logs it, and goes on."""
    errors: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: errors.append(context))
    try:
        yield
    finally:
        loop.set_exception_handler(None)
    assert not errors, errors
