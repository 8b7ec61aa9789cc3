"""Keeps the slot map of a Redis Cluster: asks for it, and tells what it says.

The servers are asked now and then, at once when there is doubt, and often while something is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sockudo.errors import DriverError
from sockudo.redis_client.options import RedisNodes, RedisTiming
from sockudo.redis_client.server import RedisServer
from sockudo.redis_client.slots import Address, SlotMap, fetch_map, seeds_of, server_at
from sockudo.timing.backoff import delays

_REFRESH_AFTER: Final = 10.0
_SHORTEST_REFRESH: Final = 0.05
_LONGEST_REFRESH: Final = 1.0


@dataclass(frozen=True, slots=True)
class MapUser:
    """What a keeper asks and tells the user of its map.

    Attributes:
        problem: says what is wrong, if anything is.
        use: goes by a map from now on; takes whether it says something else than the one before.
        looked: called after each look at the map; takes why there is none, if there is none.
    """

    problem: Callable[[], str | None]
    use: Callable[[SlotMap, bool], Awaitable[object]]
    looked: Callable[[str | None], None]


class SlotMapKeeper:
    """Keeps the map of one cluster."""

    def __init__(self, nodes: RedisNodes, timing: RedisTiming, user: MapUser) -> None:
        self._nodes = nodes
        self._timing = timing
        self._user = user
        self._seeds: list[RedisServer] = []
        self._map: SlotMap | None = None
        # Set when the map may be out of date.
        self._doubt = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the map is looked at now and then."""
        return self._task is not None

    @property
    def is_whole(self) -> bool:
        """Whether every slot is served."""
        return self._map is not None and not self._map.missing

    async def fetch_first(self) -> SlotMap:
        """Return the map that the cluster starts with; it is not given to `use`.

        Raises:
            DriverError: the cluster cannot be reached, is not whole, or refuses; the message names the setting.
        """
        self._seeds = seeds_of(self._nodes)
        found = await fetch_map(self._seeds, self._timing)
        if found.missing:
            raise self._seeds[0].refusal(f"the cluster is not whole: nobody serves {found.missing} slots")
        self._map = found
        return found

    def server_at(self, address: Address) -> RedisServer:
        """Return the server of the cluster at an address."""
        return server_at(address, self._seeds[0])

    def start(self) -> None:
        """Look at the map from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def doubt(self) -> None:
        """Look at the map at once, because it may be out of date."""
        self._doubt.set()

    async def aclose(self) -> None:
        """Look at the map no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        waits = delays()
        while True:
            if self._user.problem() is None:
                waits, wait = delays(), _REFRESH_AFTER
            else:
                wait = min(next(waits), _LONGEST_REFRESH)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._doubt.wait()
            self._doubt.clear()
            await self._refresh()
            # What is in doubt again at once would otherwise be asked in a circle.
            await asyncio.sleep(_SHORTEST_REFRESH)

    async def _refresh(self) -> None:
        masters = frozenset[Address]() if self._map is None else self._map.masters
        servers = [self.server_at(address) for address in masters]
        servers += [seed for seed in self._seeds if all(seed.name != server.name for server in servers)]
        failure = None
        try:
            found = await fetch_map(servers, self._timing)
            has_changed, self._map = found != self._map, found
            await self._user.use(found, has_changed)
        except DriverError as error:
            failure = str(error)
        self._user.looked(failure)
