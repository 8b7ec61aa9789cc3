"""Counts in exact sliding windows, in a piece of memory of fixed size that several processes may share.

A window is a list of entries, oldest first: when some units leave, and how many. Windows are found by a hash table, and
stand in the order of their last units, so that those that are over are found at the front.

What happens when there is no room, and why nothing is admitted that should not be:

* All windows are taken: keys without one share some spare windows, by their hash. Each of them gets at most what the
  limit allows, and perhaps less. A key stays with its spare window until that is empty, so it never has two.
* More than `entries` units are remembered: units of a window that come within an eighth of its length are one entry,
  which leaves when its last unit does. So units count for up to an eighth longer, never shorter.

A process that dies in the middle of counting leaves the table marked as busy. The writes are in such an order that the
lists of entries are whole at every moment and no admitted unit is missing; all else is made anew of them (`repair`).
Memory of zeros is an empty table. 0 is no window and no entry.
"""

from __future__ import annotations

from math import ceil
from typing import Final, NamedTuple

from sockudo.ratelimit.base import Decision, Limit

# The numbers at the front of a table.
_BUSY: Final = 0
_FREE_WINDOW: Final = 1
_MOST_WINDOWS: Final = 2
_OLDEST: Final = 3
_NEWEST: Final = 4
_FREE_ENTRY: Final = 5
_MOST_ENTRIES: Final = 6
_ENTRIES: Final = 7
_HEAD: Final = 8

# Each decision opens one window at most, so these are enough for room to come back.
_FORGOTTEN_AT_ONCE: Final = 8
_GRAINS: Final = 8
# A window's length may begin and end in the middle of a grain.
_MOST_GRAINS: Final = _GRAINS + 1


class Shape(NamedTuple):
    """How much fits into a table.

    Attributes:
        windows: keys that have a window of their own.
        spare: windows that further keys share.
        entries: units that are remembered one by one; there is room for more, which are remembered by grains.
    """

    windows: int
    spare: int
    entries: int

    @property
    def all_windows(self) -> int:
        """Windows of both kinds."""
        return self.windows + self.spare

    @property
    def all_entries(self) -> int:
        """Entries there is room for: no more can ever be needed."""
        return self.entries + _MOST_GRAINS * self.all_windows

    @property
    def size(self) -> int:
        """Bytes of a table."""
        wide = 8 * (self.all_windows + 1 + self.all_entries + 1)
        narrow = 4 * (_HEAD + self.windows + 6 * (self.all_windows + 1) + 2 * (self.all_entries + 1))
        # The next table begins at a multiple of 64.
        return (wide + narrow + 63) // 64 * 64


class Table:
    """The windows of some keys. Whoever calls its methods has it alone."""

    __slots__ = (
        "_buckets",
        "_chain",
        "_first",
        "_head",
        "_last",
        "_name",
        "_newer",
        "_next",
        "_older",
        "_shape",
        "_units",
        "_until",
        "_used",
    )

    def __init__(self, memory: memoryview, shape: Shape) -> None:
        windows, entries = shape.all_windows + 1, shape.all_entries + 1
        wide, narrow = 8 * (windows + entries), shape.size
        self._shape = shape
        self._name = memory[: 8 * windows].cast("Q")
        # When an entry leaves, in monotonic seconds.
        self._until = memory[8 * windows : wide].cast("d")
        numbers = memory[wide:narrow].cast("I")
        start = _HEAD + shape.windows
        self._head, self._buckets = numbers[:_HEAD], numbers[_HEAD:start]
        ends = range(start, start + 6 * windows, windows)
        self._first, self._last, self._used, self._chain, self._older, self._newer = (
            numbers[end : end + windows] for end in ends
        )
        start += 6 * windows
        self._next, self._units = numbers[start : start + entries], numbers[start + entries : start + 2 * entries]

    @property
    def size(self) -> int:
        """How many keys have a window of their own."""
        count, window = 0, self._head[_OLDEST]
        while window:
            count, window = count + 1, self._newer[window]
        return count

    @property
    def entries(self) -> int:
        """How many entries are remembered."""
        return self._head[_ENTRIES]

    def take(self, name: int, limit: Limit, cost: int, now: float) -> Decision:
        """Take all units or none for the key of a name."""
        # hot path
        head = self._head
        if head[_BUSY]:
            self.repair()
        head[_BUSY] = 1
        self._forget_idle(now)
        requests, seconds = limit.requests, limit.seconds
        window = self._find(name, now)
        used = self._used[window] if window else 0
        allowed = used + cost <= requests
        if allowed and cost:
            window = window or self._open(name)
            allowed = self._add(window, cost, now + seconds, seconds / _GRAINS)
            used = self._used[window]
        first = self._first[window]
        left = self._until[first] - now if first else seconds
        head[_BUSY] = 0
        # Rounding can make the difference of two moments a hair longer than the window.
        return Decision(allowed, requests, max(0, requests - used), min(max(1, ceil(left)), seconds))

    def newest_entry(self, name: int, now: float) -> tuple[int, int]:
        """Return the window that the key of a name has to itself, and its newest entry; zeros where it has none."""
        window = self._find(name, now)
        is_own = window <= self._shape.windows and self._first[window]
        return (window, self._last[window]) if is_own else (0, 0)

    def add_to(self, window: int, entry: int, cost: int, until: float) -> bool:
        """Add units to the newest entry of a window, which leaves at this moment then; there must be room for them.

        Only for a table that one process has alone. Returns whether the entry is still the newest of the window.
        """
        # hot path
        if self._last[window] != entry or not self._first[window] or self._until[entry] > until:
            return False
        self._until[entry] = until
        self._units[entry] += cost
        self._used[window] += cost
        return True

    def repair(self) -> None:
        """Make everything anew but the lists of entries, which are whole at every moment."""
        shape, head = self._shape, self._head
        self._buckets[:] = memoryview(bytes(4 * shape.windows)).cast("I")
        head[:] = memoryview(bytes(4 * _HEAD)).cast("I")
        head[_BUSY] = 1
        kept = bytearray(shape.all_entries + 1)
        # The spare windows behind the others are found by their place.
        there = [window for window in range(1, shape.all_windows + 1) if self._recount(window, kept)]
        own = sorted((window for window in there if window <= shape.windows), key=self._ends)
        for window in own:
            self._put_into_bucket(window)
            self._put_last(window)
        taken = set(own)
        head[_MOST_WINDOWS] = max(own, default=0)
        for window in range(1, head[_MOST_WINDOWS]):
            if window not in taken:
                self._chain[window], head[_FREE_WINDOW] = head[_FREE_WINDOW], window
        head[_ENTRIES], head[_MOST_ENTRIES] = kept.count(1), max(0, kept.rfind(1))
        for entry in range(1, head[_MOST_ENTRIES]):
            if not kept[entry]:
                self._next[entry], head[_FREE_ENTRY] = head[_FREE_ENTRY], entry
        head[_BUSY] = 0

    def _ends(self, window: int) -> float:
        """Return when the last unit of a window leaves."""
        return self._until[self._last[window]]

    def _recount(self, window: int, kept: bytearray) -> bool:
        """Count a window by its entries, which are noted in `kept`; return whether it has any."""
        entry, last, used = self._first[window], 0, 0
        while entry:
            kept[entry] = 1
            used += self._units[entry]
            last, entry = entry, self._next[entry]
        self._last[window], self._used[window] = last, used
        return bool(last)

    # Windows

    def _find(self, name: int, now: float) -> int:
        """Return the window in which a key counts, without what has left it; 0 where it may have one of its own."""
        # hot path
        shape, names, chain = self._shape, self._name, self._chain
        window = self._buckets[name % shape.windows]
        while window and names[window] != name:
            window = chain[window]
        if window:
            self._slide(window, now)
            return window
        spare = shape.windows + 1 + name // shape.windows % shape.spare
        self._slide(spare, now)
        head = self._head
        is_full = not head[_FREE_WINDOW] and head[_MOST_WINDOWS] >= shape.windows
        return spare if is_full or self._first[spare] else 0

    def _open(self, name: int) -> int:
        head = self._head
        window = head[_FREE_WINDOW]
        if window:
            head[_FREE_WINDOW] = self._chain[window]
        else:
            head[_MOST_WINDOWS] += 1
            window = head[_MOST_WINDOWS]
        self._used[window] = 0
        self._name[window] = name
        self._put_into_bucket(window)
        self._put_last(window)
        return window

    def _forget_idle(self, now: float) -> None:
        # hot path
        head = self._head
        for _ in range(_FORGOTTEN_AT_ONCE):
            window = head[_OLDEST]
            if not window or (self._first[window] and self._until[self._last[window]] > now):
                return
            self._slide(window, now)
            self._take_out(window)
            self._take_from_bucket(window)
            self._chain[window], head[_FREE_WINDOW] = head[_FREE_WINDOW], window

    def _put_into_bucket(self, window: int) -> None:
        bucket = self._name[window] % self._shape.windows
        self._chain[window], self._buckets[bucket] = self._buckets[bucket], window

    def _take_from_bucket(self, window: int) -> None:
        chain, bucket = self._chain, self._name[window] % self._shape.windows
        other = self._buckets[bucket]
        if other == window:
            self._buckets[bucket] = chain[window]
            return
        while chain[other] != window:
            other = chain[other]
        chain[other] = chain[window]

    def _put_last(self, window: int) -> None:
        # hot path
        head = self._head
        newest = head[_NEWEST]
        self._older[window], self._newer[window] = newest, 0
        if newest:
            self._newer[newest] = window
        else:
            head[_OLDEST] = window
        head[_NEWEST] = window

    def _take_out(self, window: int) -> None:
        # hot path
        older, newer = self._older[window], self._newer[window]
        if older:
            self._newer[older] = newer
        else:
            self._head[_OLDEST] = newer
        if newer:
            self._older[newer] = older
        else:
            self._head[_NEWEST] = older

    # Entries

    def _slide(self, window: int, now: float) -> None:
        """Forget the entries that have left a window."""
        # hot path
        until, following = self._until, self._next
        entry = first = self._first[window]
        # Half open: a unit that is exactly a window old is out, so waiting for `reset_after` is always enough.
        if not entry or until[entry] > now:
            return
        gone = count = last = 0
        while entry and until[entry] <= now:
            gone += self._units[entry]
            count += 1
            last, entry = entry, following[entry]
        head = self._head
        # In this order: nothing that is free can be reached from a window.
        self._first[window] = entry
        following[last], head[_FREE_ENTRY] = head[_FREE_ENTRY], first
        self._used[window] -= gone
        head[_ENTRIES] -= count

    def _add(self, window: int, cost: int, until: float, grain: float) -> bool:
        """Remember units; return whether that could be done."""
        # hot path
        head, last = self._head, self._last[window] if self._first[window] else 0
        if last:
            before = self._until[last]
            # Workers look at the clock before they wait for each other.
            until = max(until, before)
            is_crowded = head[_ENTRIES] >= self._shape.entries
            if until == before or (is_crowded and until // grain == before // grain):
                return self._merge(window, last, cost, until)
        entry = self._new_entry()
        if not entry:
            # Only where windows of other lengths are still remembered, after a change of the settings.
            return bool(last) and self._merge(window, last, cost, until)
        self._until[entry], self._units[entry], self._next[entry] = until, cost, 0
        self._used[window] += cost
        if last:
            self._next[last] = entry
        else:
            self._first[window] = entry
        self._last[window] = entry
        self._touch(window)
        return True

    def _merge(self, window: int, last: int, cost: int, until: float) -> bool:
        self._used[window] += cost
        self._units[last] += cost
        self._until[last] = until
        self._touch(window)
        return True

    def _new_entry(self) -> int:
        # hot path
        head = self._head
        entry = head[_FREE_ENTRY]
        if entry:
            head[_FREE_ENTRY] = self._next[entry]
        elif head[_MOST_ENTRIES] < self._shape.all_entries:
            head[_MOST_ENTRIES] += 1
            entry = head[_MOST_ENTRIES]
        else:
            return 0
        head[_ENTRIES] += 1
        return entry

    def _touch(self, window: int) -> None:
        # hot path
        if window <= self._shape.windows and self._head[_NEWEST] != window:
            self._take_out(window)
            self._put_last(window)
