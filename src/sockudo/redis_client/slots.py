"""Which server of a Redis Cluster serves which slot, as the servers themselves say."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sockudo.errors import DriverError
from sockudo.redis_client.key_slot import SLOTS
from sockudo.redis_client.options import RedisNodes, RedisTarget, RedisTiming
from sockudo.redis_client.resp import Reply
from sockudo.redis_client.server import RedisServer, ask, connect, server_of

# So many servers are asked at once; more voices would cost more and decide nothing.
_VOTERS: Final = 5

Address = tuple[str, int]


@dataclass(frozen=True)
class SlotMap:
    """Ranges of slots and the address of each one's master; two maps that say the same are equal."""

    ranges: tuple[tuple[int, int, Address], ...]
    owners: tuple[Address | None, ...] = field(compare=False, repr=False)

    @property
    def masters(self) -> frozenset[Address]:
        """Every server that serves a slot."""
        return frozenset(address for _, _, address in self.ranges)

    @property
    def missing(self) -> int:
        """How many slots nobody serves."""
        return self.owners.count(None)


def slot_map(ranges: Iterable[tuple[int, int, Address]]) -> SlotMap:
    """Make a map of its ranges."""
    owners: list[Address | None] = [None] * SLOTS
    merged: list[tuple[int, int, Address]] = []
    for start, end, address in sorted(ranges):
        owners[start : end + 1] = [address] * (end + 1 - start)
        if merged and merged[-1][1] == start - 1 and merged[-1][2] == address:
            merged[-1] = (merged[-1][0], end, address)
        else:
            merged.append((start, end, address))
    return SlotMap(tuple(merged), tuple(owners))


def seeds_of(nodes: RedisNodes) -> list[RedisServer]:
    """Return the servers whose URLs are known.

    Raises:
        DriverError: a URL cannot be used.
    """
    return [server_of(RedisTarget(url, nodes.setting, nodes.username, nodes.password)) for url in nodes.urls]


async def fetch_map(servers: Sequence[RedisServer], timing: RedisTiming) -> SlotMap:
    """Ask some of the servers and return what most of them say.

    Raises:
        DriverError: none of them can be asked.
    """
    asked = list(servers)
    random.shuffle(asked)
    problems: list[str] = []
    # Few at a time: among many seeds and servers some that are gone for good would outvote nobody, but cost time.
    for start in range(0, len(asked), _VOTERS):
        some = asked[start : start + _VOTERS]
        answers = await asyncio.gather(*(_fetch_one(server, timing) for server in some), return_exceptions=True)
        votes: Counter[SlotMap] = Counter()
        for answer in answers:
            if isinstance(answer, SlotMap):
                votes[answer] += 1
            elif isinstance(answer, DriverError):
                problems.append(str(answer))
            else:
                raise answer
        if votes:
            # Among equally many voices the one that knows more.
            return max(votes, key=lambda found: (votes[found], -found.missing))
    raise DriverError("; ".join(sorted(set(problems))))


async def _fetch_one(server: RedisServer, timing: RedisTiming) -> SlotMap:
    connection = await connect(server, timing)
    try:
        reply = await ask(connection, server, b"CLUSTER", b"SLOTS")
    finally:
        await connection.abandon()
    return slot_map(_parse(reply, server.host))


def _parse(reply: Reply, asked_host: str) -> Iterable[tuple[int, int, Address]]:
    """Read CLUSTER SLOTS: [[start, end, [host, port, id, ...], replica, ...], ...]."""
    for start, end, master, *_ in reply:
        # A server that does not know its own address, or is told not to say it, means the one it was asked at.
        host = master[0].decode() if master[0] not in (None, b"", b"?") else asked_host
        yield start, end, (host, master[1])


def server_at(address: Address, like: RedisServer) -> RedisServer:
    """Return the server at an address; the login and TLS are those of the cluster."""
    return replace(like, host=address[0], port=address[1], path=None, db=0, must_be_master=True)
