"""Keeps the slot map of a Redis Cluster up to date, for one user of the map.

The keeper asks the servers now and then, at once when the map is in doubt, and often while the user reports a problem.
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
    """The callbacks of a keeper.

    Attributes:
        problem: returns why the user of the map cannot work, or None.
        use: takes a map to use from now on, and whether it differs from the map before.
        looked: called after each look at the map; takes why the look failed, or None.
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
        """Whether the keeper looks at the map now and then."""
        return self._task is not None

    @property
    def is_whole(self) -> bool:
        """Whether every slot is served."""
        return self._map is not None and not self._map.missing

    async def fetch_first(self) -> SlotMap:
        """Return the first map, which `use` does not get.

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
        """Stop looking at the map."""
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
            # Without a pause, doubts that follow each look would make the keeper ask without end.
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
