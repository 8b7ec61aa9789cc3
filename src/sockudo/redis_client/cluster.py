"""The client of a Redis Cluster: a line to each master, so that one that hangs holds up its own keys only.

Strategy: a keeper knows the slot map (`map_keeper.py`), and the client tells it when the map may be out of date. A
command that its server sends elsewhere (MOVED, ASK) goes there, in the order of the replies. A command that no server
takes at the moment (its slot moves or has no master, or the cluster is down) waits for the next map, as long as its
reply may take. After some tries it fails with `RedisLost`, and `on_restored` is called a second later: nothing tells
when a cluster that was down is up again.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import hiredis

from sockudo.log import get_logger
from sockudo.redis_client.base import RedisClient
from sockudo.redis_client.key_slot import SLOTS
from sockudo.redis_client.line import Line
from sockudo.redis_client.map_keeper import MapUser, SlotMapKeeper
from sockudo.redis_client.options import RedisNodes, RedisTiming
from sockudo.redis_client.request import RedisLost, RedisRequest
from sockudo.redis_client.resp import Reply, encode
from sockudo.redis_client.server import RedisServer
from sockudo.redis_client.slots import Address, SlotMap

_log = get_logger("sockudo.redis")

_MOST_TRIES: Final = 8
_MOST_HELD: Final = 10_000
# When commands may be tried again that no server took (seconds).
_AGAIN: Final = 1.0
# How errors begin with which a server declines a command that it, or another server, may take soon.
_ELSEWHERE: Final = ("MOVED", "ASK")
_NOT_NOW: Final = ("TRYAGAIN", "CLUSTERDOWN")
_ASKING: Final = encode(b"ASKING")


class ClusterRedis(RedisClient):
    """Lines to the masters of a cluster, by slot."""

    def __init__(self, nodes: RedisNodes, timing: RedisTiming) -> None:
        super().__init__(timing)
        self._nodes = nodes
        self._keeper = SlotMapKeeper(nodes, timing, MapUser(self._problem, self._use, self._looked))
        self._lines: dict[Address, Line] = {}
        self._owners: list[Line | None] = [None] * SLOTS
        # The commands that wait for the next map, each with the timer that gives it up.
        self._held: dict[RedisRequest[Any], asyncio.TimerHandle] = {}
        self._trying_again: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        found = await self._keeper.fetch_first()
        problems = [problem for problem in await self._use(found, True) if problem is not None]
        if problems:
            await self.aclose()
            raise problems[0]
        self._keeper.start()

    async def check(self) -> None:
        problem = self._problem()
        if problem is not None:
            raise RedisLost(problem)
        await asyncio.gather(*(self._ping(line) for line in self._lines.values()))

    async def aclose(self) -> None:
        await self._keeper.aclose()
        if self._trying_again is not None:
            self._trying_again.cancel()
        for request in list(self._held):
            self._give_up(request)
        for line in self._lines.values():
            self._retire(line)
        self._lines.clear()
        self._owners[:] = [None] * SLOTS
        if self._closing:
            await asyncio.wait(self._closing)

    # Sending.

    def _send(self, request: RedisRequest[Any]) -> None:  # hot path
        line = self._owners[request.slot]
        if line is not None:
            line.send(request)
        else:
            self._hold(request)

    def _settle(self, line: Line, request: RedisRequest[Any], reply: Reply) -> None:
        if not isinstance(reply, hiredis.ReplyError):
            request.answer(reply, line.name)
            return
        kind, _, rest = str(reply).partition(" ")
        if kind not in _ELSEWHERE and kind not in _NOT_NOW:
            super()._settle(line, request, reply)
            return
        self._keeper.doubt()
        if request.tries >= _MOST_TRIES:
            request.fail(f"{line.name}: {reply}")
            self._try_again_later()
            return
        request.tries += 1
        target = self._lines.get(_address(rest, line)) if kind in _ELSEWHERE else None
        if target is None or not target.is_open:
            self._hold(request)
        elif kind == "ASK":
            target.send(request, before=_ASKING)
        else:
            # Later commands for the slot go there at once, behind this one.
            self._owners[request.slot] = target
            target.send(request)

    def _hold(self, request: RedisRequest[Any]) -> None:
        self._keeper.doubt()
        if not self._keeper.is_running or len(self._held) >= _MOST_HELD:
            request.fail(f"{self._nodes.setting}: no server takes slot {request.slot}")
            self._try_again_later()
            return
        self._held[request] = asyncio.get_running_loop().call_later(request.patience, self._give_up, request)

    def _give_up(self, request: RedisRequest[Any]) -> None:
        timer = self._held.pop(request, None)
        if timer is not None:
            timer.cancel()
            request.fail(f"{self._nodes.setting}: no server took slot {request.slot} in {request.patience:g} s")
            self._try_again_later()

    def _try_again_later(self) -> None:
        if self._trying_again is None and self._keeper.is_running:
            self._trying_again = asyncio.get_running_loop().call_later(_AGAIN, self._try_again)

    def _try_again(self) -> None:
        self._trying_again = None
        self._tell_restored()

    def _send_held(self) -> None:
        held, self._held = self._held, {}
        for request, timer in held.items():
            timer.cancel()
            if not request.future.done():
                self._send(request)

    # The map.

    def _looked(self, failure: str | None) -> None:
        if failure is not None:
            _log.debug("redis cluster: slot map unavailable", reason=failure)
        self._send_held()

    async def _use(self, found: SlotMap, has_changed: bool) -> list[BaseException | None]:
        """Use this map from now on; return for each new line why it could not be opened, or None."""
        new = {address: self._line_at(address) for address in found.masters if address not in self._lines}
        # The client knows them before they are open, so that `aclose` closes them.
        self._lines |= new
        results = await asyncio.gather(*(line.open() for line in new.values()), return_exceptions=True)
        for address in [address for address in self._lines if address not in found.masters]:
            self._retire(self._lines.pop(address))
        self._owners[:] = [None if address is None else self._lines[address] for address in found.owners]
        if self._keeper.is_running:
            for line in new.values():
                line.keep_open()
            if has_changed:
                self._tell_restored()
        return results

    def _line_at(self, address: Address) -> Line:
        server = self._keeper.server_at(address)

        async def find() -> RedisServer:
            return server

        return Line(find, self._timing, self._settle, self._changed)

    def _retire(self, line: Line) -> None:
        task = asyncio.get_running_loop().create_task(line.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _changed(self, line: Line) -> None:
        if line.is_open:
            self._tell_restored()
        else:
            self._keeper.doubt()

    def _problem(self) -> str | None:
        """Return why the cluster cannot be used; None where it can."""
        if not self._keeper.is_whole:
            return f"Redis Cluster cannot be used ({self._nodes.setting}): some slots are not served"
        return next((line.problem for line in self._lines.values() if line.problem is not None), None)


def _address(text: str, line: Line) -> Address:
    """Read the address in `3999 127.0.0.1:6381`; a server that does not know its own host leaves it out."""
    host, _, port = text.partition(" ")[2].rpartition(":")
    return (host or line.host, int(port))
