"""Encodes and decodes jobs in Redis.

A job is its id (16 hexadecimal digits), a space, when it was accepted (Unix milliseconds), a space, and its body.
Readers may take the head without the body, and scripts recognise a job by its first bytes. A failed job is a
MessagePack array.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import msgspec

from sockudo.queues.base import FailedJob

HEAD_BYTES: Final = 40
"""The bytes for an id, two spaces and a date."""
_ID_BYTES: Final = 16
_LONGEST_DATE: Final = 15
_UNREADABLE: Final = "it was no job of this queue"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job at the head of a lane. Scripts recognise it by `key`."""

    key: bytes
    accepted_at: float
    body: bytes
    is_readable: bool = True


class _Failed(msgspec.Struct, array_like=True):
    id: str
    lane: bytes
    job: bytes
    reason: str
    failed_at: float
    attempts: int


def new_job(body: bytes, accepted_at: float) -> bytes:
    """Encode a job that was accepted at this Unix second."""
    return b"%b %d %b" % (os.urandom(_ID_BYTES // 2).hex().encode(), accepted_at * 1000, body)


def read_job(record: bytes) -> JobRecord:
    """Decode a job. An entry of another program is returned as unreadable, so that the queue can remove it."""
    key = record[: _ID_BYTES + 1]
    date, space, body = record[_ID_BYTES + 1 :].partition(b" ")
    if not space or not key.endswith(b" ") or not _is_date(date):
        return JobRecord(key, 0.0, record, is_readable=False)
    return JobRecord(key, int(date) / 1000, body)


def read_date(head: bytes) -> float | None:
    """Return when a job was accepted, from the first `HEAD_BYTES` of its record, or None."""
    date = head[_ID_BYTES + 1 :].partition(b" ")[0]
    return int(date) / 1000 if _is_date(date) else None


def _is_date(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _LONGEST_DATE


def new_failed(job: JobRecord, lane: str, reason: str, failed_at: float, attempts: int) -> bytes:
    """Encode a failed job."""
    reason = reason if job.is_readable else _UNREADABLE
    key = job.key.decode("ascii", "replace").strip()
    return msgspec.msgpack.encode(_Failed(key, lane_bytes(lane), job.body, reason, failed_at, attempts))


def read_failed(record: bytes) -> FailedJob | None:
    """Decode a failed job; None for an entry of another program."""
    try:
        failed = msgspec.msgpack.decode(record, type=_Failed)
        lane = lane_text(failed.lane)
    except (msgspec.MsgspecError, ValueError):
        return None
    return FailedJob(failed.id, lane, failed.job, failed.reason, failed.failed_at, failed.attempts)


def lane_bytes(lane: str) -> bytes:
    """Return a lane as keys have it."""
    return lane.encode("utf-8", "surrogatepass")


def lane_text(lane: bytes) -> str:
    """Return the lane of bytes in a key.

    Raises:
        UnicodeDecodeError: the bytes are not a lane of this queue.
    """
    return lane.decode("utf-8", "surrogatepass")
