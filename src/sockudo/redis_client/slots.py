"""The slot map of a Redis Cluster: which server serves which slot, by the word of the servers."""

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

# This many servers are asked at a time; more voices would cost more and decide nothing.
_VOTERS: Final = 5
# Once one server has answered, the others get this long (seconds): one that hangs must not hold up the map.
_LATE: Final = 0.5

Address = tuple[str, int]


@dataclass(frozen=True)
class SlotMap:
    """Ranges of slots, each with the address of its master; two maps that say the same are equal."""

    ranges: tuple[tuple[int, int, Address], ...]
    owners: tuple[Address | None, ...] = field(compare=False, repr=False)

    @property
    def masters(self) -> frozenset[Address]:
        """Every server that serves a slot."""
        return frozenset(address for _, _, address in self.ranges)

    @property
    def missing(self) -> int:
        """How many slots no server serves."""
        return self.owners.count(None)


def slot_map(ranges: Iterable[tuple[int, int, Address]]) -> SlotMap:
    """Make a map of ranges."""
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
    """Return the servers that the settings name.

    Raises:
        DriverError: a URL cannot be used.
    """
    return [server_of(RedisTarget(url, nodes.setting, nodes.username, nodes.password)) for url in nodes.urls]


async def fetch_map(servers: Sequence[RedisServer], timing: RedisTiming) -> SlotMap:
    """Ask some of the servers and return the map that most of them give; servers that hang are not waited for.

    Raises:
        DriverError: no server answers.
    """
    asked = list(servers)
    random.shuffle(asked)
    problems: list[str] = []
    # Few at a time: many seeds and servers that are gone for good would cost time.
    for start in range(0, len(asked), _VOTERS):
        votes = await _vote(asked[start : start + _VOTERS], timing, problems)
        if votes:
            # Among equally many voices the map with more slots wins.
            return max(votes, key=lambda found: (votes[found], -found.missing))
    raise DriverError("; ".join(sorted(set(problems))))


async def _vote(servers: Sequence[RedisServer], timing: RedisTiming, problems: list[str]) -> Counter[SlotMap]:
    """Ask servers at once, until most of them agree, all have answered, or the rest is late."""
    votes: Counter[SlotMap] = Counter()
    pending = {asyncio.ensure_future(_fetch_one(server, timing)) for server in servers}
    try:
        while pending and (not votes or max(votes.values()) <= len(servers) // 2):
            patience = _LATE if votes else None
            done, pending = await asyncio.wait(pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
            for question in done:
                try:
                    votes[question.result()] += 1
                except DriverError as error:
                    problems.append(str(error))
    finally:
        for question in pending:
            question.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    return votes


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
        # A server that does not know or may not tell its own address means the one at which it was asked.
        host = master[0].decode() if master[0] not in (None, b"", b"?") else asked_host
        yield start, end, (host, master[1])


def server_at(address: Address, like: RedisServer) -> RedisServer:
    """Return the server at an address, with the login and the TLS of the cluster."""
    return replace(like, host=address[0], port=address[1], path=None, db=0, must_be_master=True)
