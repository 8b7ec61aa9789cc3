"""The bus over a Redis Cluster: sharded pub/sub (SPUBLISH and SSUBSCRIBE of Redis 7), a link for each master.

Strategy: a topic belongs to the master of its slot. When a slot moves, the old master ends the subscriptions with an
unsolicited `sunsubscribe`. Only then, or when the link to the old master is dead, does the adapter join the topic at
the new one, so no message of the new master arrives before an older one of the old master. The servers also pass
messages on to each other, which crosses that order, so messages carry numbers (see `stamps.py`).

The bus counts as lost while a slot has no master, a link is down, or a topic that was joined no longer is, because
messages may be missed. It counts as restored when all is well for a moment: a resharding moves slots one by one.

Each master works by itself. While one is away, topics of the others are published, joined and caught up with as ever;
only names that no living master serves are given up.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from sockudo.bus.base import Inbox
from sockudo.bus.broker.waiters import Waiters, done
from sockudo.bus.redis.assignments import Assignments
from sockudo.bus.redis.counts import Counts
from sockudo.bus.redis.link import Terms
from sockudo.bus.redis.master import Master, MasterEvents
from sockudo.bus.redis.options import RedisClusterOptions
from sockudo.bus.redis.stamps import LateFilter, Stamper
from sockudo.bus.redis.verbs import SHARDED
from sockudo.log import get_logger
from sockudo.redis_client.key_slot import SLOTS, key_slot
from sockudo.redis_client.map_keeper import MapUser, SlotMapKeeper
from sockudo.redis_client.slots import Address, SlotMap

_log = get_logger("sockudo.redis")

_SETTLED_AFTER: Final = 0.5
_MOST_NOTES: Final = 20


class RedisClusterAdapter:
    """An `Adapter` over a Redis Cluster."""

    def __init__(self, options: RedisClusterOptions) -> None:
        self._prefix = options.section.prefix.encode()
        self.counts = Counts()
        self._terms = Terms(SHARDED, options.timing, self.counts)
        self._waiters: Waiters[bytes] = Waiters()
        self._stamper = Stamper()
        self._late = LateFilter()
        # The master of each slot, by its number.
        self._owners: list[Master | None] = [None] * SLOTS
        self._assignments = Assignments(self._owners.__getitem__, self._waiters)
        self._masters: dict[Address, Master] = {}
        user = MapUser(self._problem, self._use, self._looked)
        self._keeper = SlotMapKeeper(options.nodes, options.timing, user)
        self._inbox: Inbox | None = None
        self._is_connected = False
        self._closing: set[asyncio.Task[None]] = set()
        self._settling: asyncio.TimerHandle | None = None
        self._noted: set[str] = set()

    @property
    def is_connected(self) -> bool:
        """Whether every slot is served, every link works and every topic is joined."""
        return self._is_connected

    async def start(self, inbox: Inbox) -> None:
        """Connect to every master.

        Raises:
            DriverError: the cluster cannot be reached, is not whole, or refuses; the message names the setting.
        """
        self._inbox = inbox
        await self._use(await self._keeper.fetch_first(), True)
        opening = [master.open(partial(self._is_of, master)) for master in self._masters.values()]
        for problem in await asyncio.gather(*opening, return_exceptions=True):
            if problem is not None:
                await self.aclose()
                raise problem
        self._is_connected = True
        self._keeper.start()

    def publish(self, topic: str, data: bytes) -> None:  # hot path
        """Send `data` to every node on `topic`, this one too if it is on it."""
        name = self._prefix + topic.encode()
        master = self._owners[key_slot(name)]
        if master is None or not master.is_ready or master.link is None:
            self.counts.dropped += 1
            return
        self.counts.published += 1
        master.link.publisher.publish(name, self._stamper.stamp(data))

    def subscribe(self, topic: str) -> asyncio.Future[None]:
        """Join a topic, or catch up with it."""
        name = self._prefix + topic.encode()
        if name in self._assignments.topics:
            return self._waiters.another(name) or self._caught_up(name)
        master = self._owners[key_slot(name)]
        # The caller waits before the name is assigned, so that a wrong first master does not count as a loss.
        future = self._waiters.add(name)
        self._assignments.add(name, topic)
        if master is None or master.link is None:
            self._waiters.release_one(name)
        return future

    def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        name = self._prefix + topic.encode()
        if name in self._assignments.topics:
            self._assignments.remove(name)
            self._report()

    async def aclose(self) -> None:
        """Send the published messages, leave every topic and release everything."""
        self._is_connected = False
        self._inbox = None
        if self._settling is not None:
            self._settling.cancel()
        await self._keeper.aclose()
        for master in self._masters.values():
            self._close(master)
        self._masters.clear()
        if self._closing:
            await asyncio.wait(self._closing)
        self._waiters.release()

    def _caught_up(self, name: bytes) -> asyncio.Future[None]:
        master = self._assignments.at(name)
        if master is None or master.link is None:
            return done()
        return master.link.subscriber.caught_up()

    # The slot map.

    def _is_of(self, master: Master, slot: int) -> bool:
        return self._owners[slot] is master

    async def _use(self, found: SlotMap, has_changed: bool) -> None:
        """Use this map from now on."""
        if has_changed:
            old = self._masters
            self._masters = {a: old.pop(a) if a in old else self._master_at(a) for a in found.masters}
            self._owners[:] = [None if address is None else self._masters[address] for address in found.owners]
            for master in old.values():
                self._close(master)
                self._assignments.lost(master)
        self._assignments.rearrange(has_changed=has_changed)
        if self._keeper.is_running:
            for master in self._masters.values():
                if master.link is None:
                    master.keep_open(partial(self._is_of, master))

    def _looked(self, failure: str | None) -> None:
        self._assignments.release_homeless(map_is_known=failure is None)
        if failure is not None:
            self._note("redis cluster bus: slot map unavailable", failure)
        self._report()

    def _master_at(self, address: Address) -> Master:
        server = self._keeper.server_at(address)
        events = MasterEvents(
            message=self._received,
            settled=self._settled,
            gone=self._gone,
            not_joined=self._not_joined,
            refused=self._refused,
            ready=lambda master: self._report(),
            lost=self._master_lost,
            unreachable=self._unreachable,
        )
        return Master(server, self._terms, self._prefix, events)

    def _close(self, master: Master) -> None:
        task = asyncio.get_running_loop().create_task(master.retire())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # The callbacks of masters.

    def _received(self, topic: str, data: bytes) -> None:
        fresh = self._late.accept(topic, data)
        if fresh is not None and self._inbox is not None:
            self._inbox.received(topic, fresh)

    def _settled(self, master: Master, name: bytes) -> None:
        if self._assignments.settled(master, name) or name not in self._assignments.topics:
            self._waiters.release_one(name)
        self._report()

    def _gone(self, master: Master, name: bytes) -> None:
        self._assignments.gone(master, name)
        self._keeper.doubt()
        self._report()

    def _not_joined(self, master: Master, text: str) -> None:
        """Note that a master refused a subscription, with a text such as `MOVED 3999 127.0.0.1:6381`."""
        kind, _, rest = text.partition(" ")
        slot = rest.partition(" ")[0]
        self._keeper.doubt()
        if kind == "MOVED" and slot.isdigit():
            self._assignments.moved(master, int(slot))
            self._report()
        elif master.link is not None:
            master.link.fail(f"a subscription is refused: {text}")

    def _refused(self, text: str) -> None:
        """Note that a master refused a message, which is lost."""
        if text.startswith(("MOVED", "CLUSTERDOWN", "ASK", "TRYAGAIN")):
            self._keeper.doubt()
        else:
            self._note("redis cluster bus refuses a message", text)

    def _master_lost(self, master: Master, reason: str) -> None:
        self._assignments.unreachable(master)
        self._keeper.doubt()
        self._report(f"{master.server.name}: {reason}")
        if master in self._masters.values():
            master.keep_open(partial(self._is_of, master))

    def _unreachable(self, master: Master, reason: str) -> None:
        self._assignments.unreachable(master)
        self._keeper.doubt()
        self._note("redis cluster bus: server unreachable", reason)

    # Lost and restored.

    def _problem(self) -> str | None:
        """Return why the bus is not whole; None where it is."""
        if not self._keeper.is_whole:
            return "some slots are not served"
        for master in self._masters.values():
            if not master.is_ready:
                return f"{master.server.name} cannot be reached"
        if self._assignments.unserved:
            return "topics are moved to another server"
        return None

    def _report(self, reason: str | None = None) -> None:
        """Tell the inbox where the bus has been lost, or begin to call it restored."""
        problem = self._problem()
        if problem is None:
            if not self._is_connected and self._settling is None and self._inbox is not None:
                self._settling = asyncio.get_running_loop().call_later(_SETTLED_AFTER, self._restored)
            return
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        if self._is_connected and self._inbox is not None:
            self._is_connected = False
            self._inbox.lost(reason or problem)

    def _restored(self) -> None:
        self._settling = None
        if self._inbox is not None:
            self._is_connected = True
            self.counts.reconnects += 1
            self._noted.clear()
            self._inbox.restored()

    def _note(self, event: str, reason: str) -> None:
        """Log a problem, once until the bus is restored."""
        if reason not in self._noted and len(self._noted) < _MOST_NOTES:
            self._noted.add(reason)
            _log.warning(event, reason=reason)
