"""The bus over a Redis Cluster: sharded pub/sub (SPUBLISH and SSUBSCRIBE of Redis 7), a link for each master.

Strategy: a topic belongs to the master of its slot. When a slot moves, the old master takes its subscriptions from us
with an unsolicited `sunsubscribe`; only then, or when the link to it is dead, is the topic joined at the new one. So
nothing of the new master is heard before something older of the old one. What servers tell each other crosses that, so
messages are numbered besides (see `redis_stamps.py`).

The bus counts as lost while a slot has no master, a link is down, or a topic that was joined is not: messages may have
been missed. It counts as restored when all is well for a moment, because a resharding moves slots one by one.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from sockudo.bus.base import Inbox
from sockudo.bus.broker.waiters import Waiters, done
from sockudo.bus.redis.counts import Counts
from sockudo.bus.redis.link import Terms
from sockudo.bus.redis.options import RedisClusterOptions
from sockudo.bus.redis.places import Places
from sockudo.bus.redis.shard import Shard, ShardEvents
from sockudo.bus.redis.stamps import LateFilter, Stamper
from sockudo.bus.redis.verbs import SHARDED
from sockudo.log import get_logger
from sockudo.redis_client.key_slot import SLOTS, key_slot
from sockudo.redis_client.map_keeper import MapUser, SlotMapKeeper
from sockudo.redis_client.options import RedisNodes
from sockudo.redis_client.slots import Address, SlotMap

_log = get_logger("sockudo.redis")

_SETTLED_AFTER: Final = 0.5
_MOST_NOTES: Final = 20


class RedisClusterAdapter:
    """An `Adapter` over a Redis Cluster."""

    def __init__(self, options: RedisClusterOptions) -> None:
        self._prefix = options.prefix.encode()
        self.counts = Counts()
        self._terms = Terms(SHARDED, options.timing, self.counts)
        self._waiters: Waiters[bytes] = Waiters()
        self._stamper = Stamper()
        self._late = LateFilter()
        # The shard of each slot.
        self._owners: list[Shard | None] = [None] * SLOTS
        self._places = Places(self._owners.__getitem__, self._waiters)
        self._shards: dict[Address, Shard] = {}
        nodes = RedisNodes(options.nodes, options.setting, options.username, options.password)
        user = MapUser(self._problem, self._use, self._looked)
        self._keeper = SlotMapKeeper(nodes, options.timing, user)
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
        opening = [shard.open(partial(self._is_of, shard)) for shard in self._shards.values()]
        for problem in await asyncio.gather(*opening, return_exceptions=True):
            if problem is not None:
                await self.aclose()
                raise problem
        self._is_connected = True
        self._keeper.start()

    def publish(self, topic: str, data: bytes) -> None:  # hot path
        """Send `data` to every node on `topic`, this one too if it is on it."""
        name = self._prefix + topic.encode()
        shard = self._owners[key_slot(name)]
        if shard is None or not shard.is_ready or shard.link is None:
            self.counts.dropped += 1
            return
        self.counts.published += 1
        shard.link.publisher.publish(name, self._stamper.stamp(data))

    def subscribe(self, topic: str) -> asyncio.Future[None]:
        """Join a topic, or catch up with it."""
        name = self._prefix + topic.encode()
        if name in self._places.topics:
            return self._waiters.another(name) or self._caught_up(name)
        shard = self._owners[key_slot(name)]
        # Added before the place, so that a shard that turns out to be the wrong one is no loss.
        future = self._waiters.add(name)
        self._places.add(name, topic)
        if shard is None or shard.link is None:
            self._waiters.release_one(name)
        return future

    def unsubscribe(self, topic: str) -> None:
        """Leave a topic."""
        name = self._prefix + topic.encode()
        if name in self._places.topics:
            self._places.remove(name)
            self._look()

    async def aclose(self) -> None:
        """Send what was published, leave and release everything."""
        self._is_connected = False
        self._inbox = None
        if self._settling is not None:
            self._settling.cancel()
        await self._keeper.aclose()
        for shard in self._shards.values():
            self._close(shard)
        self._shards.clear()
        if self._closing:
            await asyncio.wait(self._closing)
        self._waiters.release()

    def _caught_up(self, name: bytes) -> asyncio.Future[None]:
        shard = self._places.at(name)
        if shard is None or shard.link is None or not self._is_connected:
            return done()
        return shard.link.subscriber.caught_up()

    # The map.

    def _is_of(self, shard: Shard, slot: int) -> bool:
        return self._owners[slot] is shard

    async def _use(self, found: SlotMap, has_changed: bool) -> None:
        """Go by this map from now on."""
        if has_changed:
            old = self._shards
            self._shards = {a: old.pop(a) if a in old else self._shard_at(a) for a in found.masters}
            self._owners[:] = [None if address is None else self._shards[address] for address in found.owners]
            for shard in old.values():
                self._close(shard)
                self._places.lost(shard)
        self._places.rearrange(has_changed=has_changed)
        if self._keeper.is_running:
            for shard in self._shards.values():
                if shard.link is None:
                    shard.keep_open(partial(self._is_of, shard))

    def _looked(self, failure: str | None) -> None:
        if failure is not None:
            self._note("redis cluster bus: the slot map cannot be had", failure)
        self._look()

    def _shard_at(self, address: Address) -> Shard:
        server = self._keeper.server_at(address)
        events = ShardEvents(
            message=self._received,
            settled=self._settled,
            gone=self._gone,
            not_joined=self._not_joined,
            refused=self._refused,
            ready=lambda shard: self._look(),
            lost=self._shard_lost,
            unreachable=self._unreachable,
        )
        return Shard(server, self._terms, self._prefix, events)

    def _close(self, shard: Shard) -> None:
        task = asyncio.get_running_loop().create_task(shard.retire())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # What shards tell.

    def _received(self, topic: str, data: bytes) -> None:
        fresh = self._late.accept(topic, data)
        if fresh is not None and self._inbox is not None:
            self._inbox.received(topic, fresh)

    def _settled(self, shard: Shard, name: bytes) -> None:
        if self._places.settled(shard, name) or name not in self._places.topics:
            self._waiters.release_one(name)
        self._look()

    def _gone(self, shard: Shard, name: bytes) -> None:
        self._places.gone(shard, name)
        self._keeper.doubt()
        self._look()

    def _not_joined(self, shard: Shard, text: str) -> None:
        """Note that a subscription was answered with an error, such as `MOVED 3999 127.0.0.1:6381`."""
        kind, _, rest = text.partition(" ")
        slot = rest.partition(" ")[0]
        self._keeper.doubt()
        if kind == "MOVED" and slot.isdigit():
            self._places.moved(shard, int(slot))
            self._look()
        elif shard.link is not None:
            shard.link.fail(f"a subscription is refused: {text}")

    def _refused(self, text: str) -> None:
        """Note that a message was answered with an error. It is lost, as what its receivers missed meanwhile is."""
        if text.startswith(("MOVED", "CLUSTERDOWN", "ASK", "TRYAGAIN")):
            self._keeper.doubt()
        else:
            self._note("redis refuses a message", text)

    def _shard_lost(self, shard: Shard, reason: str) -> None:
        for name in shard.wanted:
            self._waiters.release_one(name)
        self._places.lost(shard)
        self._keeper.doubt()
        self._look(f"{shard.server.name}: {reason}")
        if shard in self._shards.values():
            shard.keep_open(partial(self._is_of, shard))

    def _unreachable(self, shard: Shard, reason: str) -> None:
        self._places.lost(shard)
        self._keeper.doubt()
        self._note("a redis of the cluster cannot be reached", reason)

    # Lost and restored.

    def _problem(self) -> str | None:
        """Say what is wrong, if anything is."""
        if not self._keeper.is_whole:
            return "some slots are not served"
        for shard in self._shards.values():
            if not shard.is_ready:
                return f"{shard.server.name} cannot be reached"
        if self._places.unserved:
            return "topics are moved to another server"
        return None

    def _look(self, reason: str | None = None) -> None:
        """Tell the inbox what is new about the bus."""
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
            self._waiters.release()
            self._inbox.lost(reason or problem)

    def _restored(self) -> None:
        self._settling = None
        if self._inbox is not None:
            self._is_connected = True
            self.counts.reconnects += 1
            self._noted.clear()
            self._inbox.restored()

    def _note(self, event: str, reason: str) -> None:
        """Log something once until all is well again."""
        if reason not in self._noted and len(self._noted) < _MOST_NOTES:
            self._noted.add(reason)
            _log.warning(event, reason=reason)
