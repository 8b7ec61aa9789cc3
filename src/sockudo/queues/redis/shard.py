"""One part of a queue in Redis: its keys, and the steps of `scripts` with Python's types.

Rules: every method may raise `DriverError`; Redis may have carried out the step or not. Each step can be repeated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final, NamedTuple, TypeVar
from zlib import crc32

from sockudo.log import get_logger
from sockudo.queues.redis import scripts as scripts
from sockudo.queues.redis.options import RedisQueueOptions
from sockudo.queues.redis.records import HEAD_BYTES, lane_bytes, lane_text
from sockudo.redis_client.base import RedisClient
from sockudo.redis_client.request import RedisRefusal

T = TypeVar("T")

# How long Redis recognises a repeated push; pushes are repeated every few seconds.
_REMEMBERED_MS: Final = b"600000"
_LANES_AT_ONCE: Final = 500
# The bytes of an invalid entry that the log shows.
_SHOWN: Final = 40

_log = get_logger("queue")


class Head(NamedTuple):
    """The record of the first job of a lane, and the number of the attempt that begins now."""

    attempt: int
    record: bytes


class Finished(NamedTuple):
    """A job was removed.

    Attributes:
        dropped: the number of failed jobs that had to make room.
        is_kept: false where the job failed and could not be kept, because the list of failed jobs is no list.
        head: the next job, if there is one.
    """

    dropped: int
    is_kept: bool
    head: Head | None


class Shard:
    """The lanes whose names hash to this part."""

    def __init__(self, client: RedisClient, options: RedisQueueOptions, number: int, shards: int) -> None:
        self._client = client
        self._base = f"{options.prefix}:queue:webhooks:{{{number}}}:".encode()
        self._lanes = self._base + b"lanes"
        self._failed = self._base + b"failed"
        self._lease = b"%d" % (options.lease * 1000)
        self._max_failed = b"%d" % max(1, options.max_failed // shards)
        # Whether the log has said that the list of failed jobs is no list.
        self._is_spoilt = False

    async def push(self, lane: str, producer: bytes, first: int, records: Sequence[bytes]) -> bool:
        """Append jobs, which this producer numbers from `first` on; return whether the lane had none."""
        name = lane_bytes(lane)
        keys = (self._lanes, self._jobs(name), self._base + b"pushed:" + name + b":" + producer)
        reply = await self._client.run(scripts.PUSH, keys, (name, b"%d" % first, _REMEMBERED_MS, *records))
        is_new, was_removed = map(bool, reply)
        if was_removed:
            _log.warning("webhook queue: key removed that was no list of jobs", key=repr(keys[1]))
        return is_new

    async def look(self, limit: int) -> list[str]:
        """Return lanes that are due, those that wait longest first."""
        names: list[bytes] = await self._client.run(scripts.LOOK, (self._lanes,), (b"%d" % limit,))
        lanes: list[str] = []
        for name in names:
            try:
                lanes.append(lane_text(name))
            except UnicodeDecodeError:
                # Another program has written it. Every look would find it again.
                _log.warning("webhook queue: entry dropped: it is not a lane", entry=repr(name[:_SHOWN]))
                await self._client.call(b"ZREM", self._lanes, name)
        return lanes

    async def take(self, lane: str, token: bytes) -> Head | None:
        """Hold a lane that is due; None if it is not, or another process holds it."""
        name = lane_bytes(lane)
        keys = (self._lanes, self._jobs(name), self._held(name))
        reply = await self._client.run(scripts.TAKE, keys, (name, token, self._lease))
        if reply is not None and reply[0] < 0:
            _log.warning(
                "webhook queue: lane dropped: its jobs are not a list", lane=lane, reason=repr(reply[1][:_SHOWN])
            )
            return None
        return None if reply is None else Head(reply[0], reply[1])

    async def finish(self, lane: str, token: bytes, key: bytes, failed: bytes) -> Finished | None:
        """Remove the first job, whose record begins with `key`, and begin the next; None if the lane is not held.

        Args:
            failed: the failed job to keep, or b"".
        """
        name = lane_bytes(lane)
        keys = (self._lanes, self._jobs(name), self._held(name), self._failed)
        arguments = (name, token, self._lease, key, failed, self._max_failed)
        reply = await self._client.run(scripts.FINISH, keys, arguments)
        if reply is None:
            return None
        return Finished(max(0, reply[0]), reply[0] >= 0, Head(reply[1], reply[2]) if len(reply) > 1 else None)

    async def release(self, lane: str, token: bytes, after: float) -> bool:
        """Let go of a lane, which is due again `after` seconds; return whether it was held."""
        name = lane_bytes(lane)
        arguments = (name, token, b"%d" % max(0, after * 1000))
        return bool(await self._client.run(scripts.RELEASE, (self._lanes, self._held(name)), arguments))

    async def renew(self, held: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Renew the leases of lanes with these tokens; return for each whether it is still held."""
        answers: list[bool] = []
        for start in range(0, len(held), _LANES_AT_ONCE):
            part = [(lane_bytes(lane), token) for lane, token in held[start : start + _LANES_AT_ONCE]]
            keys = (self._lanes, *(self._held(name) for name, _ in part))
            words = [word for pair in part for word in pair]
            answers += map(bool, await self._client.run(scripts.RENEW, keys, (self._lease, *words)))
        return answers

    async def states(self) -> list[tuple[int, bytes]]:
        """Return for each lane with jobs their number and the first bytes of the first record."""
        names: list[bytes] = await self._client.call(b"ZRANGE", self._lanes, b"0", b"-1")
        states: list[tuple[int, bytes]] = []
        for start in range(0, len(names), _LANES_AT_ONCE):
            keys = [self._jobs(name) for name in names[start : start + _LANES_AT_ONCE]]
            reply = await self._client.run(scripts.STATES, keys, (b"%d" % HEAD_BYTES,))
            states += zip(reply[::2], reply[1::2], strict=True)
        return states

    async def failed_size(self) -> int:
        """Return how many failed jobs are kept."""
        return await self._of_failed(self._client.call(b"LLEN", self._failed), 0)

    async def failed(self, first: int, last: int) -> list[bytes]:
        """Return the failed jobs from one place to another, both included; negative places count from the end."""
        asked = self._client.call(b"LRANGE", self._failed, b"%d" % first, b"%d" % last)
        return await self._of_failed(asked, list[bytes]())

    async def _of_failed(self, asked: Awaitable[T], none: T) -> T:
        """Return an answer about the list of failed jobs; `none` where another program has put something else there."""
        try:
            return await asked
        except RedisRefusal as error:
            if "WRONGTYPE" not in str(error):
                raise
        if not self._is_spoilt:
            _log.warning("webhook queue: the list of failed jobs is no list; remove the key", key=repr(self._failed))
        self._is_spoilt = True
        return none

    async def requeue(self, lane: str, failed: bytes, record: bytes) -> bool:
        """Put a failed job back at the end of its lane as `record`; return whether it was still there."""
        name = lane_bytes(lane)
        keys = (self._lanes, self._jobs(name), self._failed)
        return bool(await self._client.run(scripts.REQUEUE, keys, (name, failed, record)))

    def _jobs(self, name: bytes) -> bytes:
        return self._base + b"jobs:" + name

    def _held(self, name: bytes) -> bytes:
        return self._base + b"held:" + name


def shard_of(lane: str, shards: int) -> int:
    """Return the number of the part that a lane belongs to; the same on every node and in every version."""
    return crc32(lane_bytes(lane)) % shards
