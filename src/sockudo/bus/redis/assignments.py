"""Where in a Redis Cluster each topic is joined, and how topics move when slots do.

Rules: a name is joined at one master at most. Another master gets it only after the first has confirmed that it is
left, has ended the subscription by itself, or is dead. A name that was joined and no longer is counts as `unserved`
until it is joined again.
"""

from __future__ import annotations

from collections.abc import Callable

from sockudo.bus.broker.waiters import Waiters
from sockudo.bus.redis.master import Master
from sockudo.redis_client.key_slot import key_slot


class Assignments:
    """The topics of one adapter, by the names that Redis knows.

    Attributes:
        topics: name -> topic, of every name that is wanted.
        unserved: the names that were joined and no longer are.
    """

    def __init__(self, owner_of: Callable[[int], Master | None], waiters: Waiters[bytes]) -> None:
        self._owner_of = owner_of
        self._waiters = waiters
        self.topics: dict[bytes, str] = {}
        self.unserved: set[bytes] = set()
        self._at: dict[bytes, Master] = {}
        self._leaving: dict[bytes, Master] = {}
        self._homeless: set[bytes] = set()
        # Every name that is wanted, or whose leaving no master has confirmed yet.
        self._by_slot: dict[int, set[bytes]] = {}

    def at(self, name: bytes) -> Master | None:
        """Return the master at which a name is joined or being joined; None where there is none."""
        return self._at.get(name)

    def add(self, name: bytes, topic: str) -> None:
        """Join a name."""
        self.topics[name] = topic
        self._by_slot.setdefault(key_slot(name), set()).add(name)
        self._assign(name)

    def remove(self, name: bytes) -> None:
        """Leave a name."""
        self.unserved.discard(name)
        self._homeless.discard(name)
        del self.topics[name]
        master = self._at.pop(name, None)
        if master is not None:
            self._leave(name, master)
        if name not in self._leaving:
            self._forget(name)

    def settled(self, master: Master, name: bytes) -> bool:
        """Note that a master confirmed the last command about a name; return whether the name is joined now."""
        if self._at.get(name) is master:
            self.unserved.discard(name)
            return True
        if self._leaving.get(name) is master:
            self._left(name)
        return False

    def gone(self, master: Master, name: bytes) -> None:
        """Note that a master ended the subscription to a name. The next look at the slot map finds its new master."""
        if self._at.get(name) is not master:
            return
        del self._at[name]
        master.wanted.pop(name, None)
        self._homeless.add(name)
        # A caller that still waits for the first confirmation has missed nothing.
        if name not in self._waiters:
            self.unserved.add(name)

    def moved(self, master: Master, slot: int) -> None:
        """Note that a master refuses commands about the names of a slot, because it does not serve the slot."""
        if master.link is None:
            return
        for name in list(self._by_slot.get(slot, ())):
            if self._at.get(name) is master:
                master.link.subscriber.forget(name)
                self.gone(master, name)
            elif self._leaving.get(name) is master:
                master.link.subscriber.forget(name)
                self._left(name)

    def lost(self, master: Master) -> None:
        """Note that a master has no link any more: none of its names is joined or being left there."""
        self.unserved.update(name for name in master.wanted if name not in self._waiters)
        for name in [name for name, old in self._leaving.items() if old is master]:
            self._left(name)

    def unreachable(self, master: Master) -> None:
        """Note that the link of a master is lost, or cannot be opened, so the master can confirm no name."""
        for name in master.wanted:
            self._waiters.release_one(name)
        self.lost(master)

    def rearrange(self, *, has_changed: bool) -> None:
        """Join the names that have no master, and after a change of the map move all that another master serves."""
        for name in list(self._homeless):
            self._assign(name)
        if not has_changed:
            return
        for slot, names in list(self._by_slot.items()):
            owner = self._owner_of(slot)
            if owner is None:
                continue
            for name in [name for name in names if self._at.get(name, owner) is not owner]:
                old = self._at.pop(name)
                if name not in self._waiters:
                    self.unserved.add(name)
                self._leave(name, old)
                self._assign(name)

    def release_homeless(self, *, map_is_known: bool) -> None:
        """Release the callers that wait for names which no master can confirm now."""
        for name in self._homeless:
            if name in self._waiters and not (map_is_known and self._owner_of(key_slot(name)) is not None):
                self._waiters.release_one(name)
                self.unserved.add(name)

    def _assign(self, name: bytes) -> None:
        """Join a name at its master, unless another master must confirm first that it is left."""
        owner = self._owner_of(key_slot(name))
        old = self._leaving.get(name)
        if owner is None or (name in self._homeless and owner.is_doubtful) or (old is not None and old is not owner):
            self._homeless.add(name)
            return
        self._leaving.pop(name, None)
        self._homeless.discard(name)
        self._at[name] = owner
        owner.wanted[name] = self.topics[name]
        if owner.link is not None:
            owner.link.subscriber.changed(name)

    def _leave(self, name: bytes, master: Master) -> None:
        master.wanted.pop(name, None)
        if master.link is not None:
            self._leaving[name] = master
            master.link.subscriber.changed(name)

    def _left(self, name: bytes) -> None:
        del self._leaving[name]
        if name in self.topics:
            self._assign(name)
        else:
            self._forget(name)

    def _forget(self, name: bytes) -> None:
        slot = key_slot(name)
        names = self._by_slot.get(slot, set())
        names.discard(name)
        if not names:
            self._by_slot.pop(slot, None)
