"""Encodes and decodes jobs in SQS: a line of JSON with the lane and other details, then the job.

Messages are text, and SQS does not allow every character. A job of allowed characters is written as it is, any other
one in base64. The details are in the message and not in attributes, so that they can be any text, and a message that
people move to another queue or a file stays whole.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass, replace
from typing import Annotated, Final

import msgspec

from sockudo.queues.base import FailedJob

MAX_MESSAGE_BYTES: Final = 256 * 1024
"""The longest message of an SQS queue, unless the queue is configured to take less."""
# Room for the details of a job: its lane and why it failed, with every character escaped.
_ROOM: Final = 12 * 1024
MAX_JOB_BYTES: Final = (MAX_MESSAGE_BYTES - _ROOM) // 4 * 3
"""The longest job that fits into a message, in base64 too."""

UNREADABLE: Final = "it was no job of this queue"
_ID_BYTES: Final = 8
# SQS allows more, such as the carriage return, but parsers of XML on the way may change that one.
_NO_TEXT: Final = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Record:
    """A job; only a failed job has the last three fields. Times are in Unix seconds."""

    id: str
    lane: str
    body: bytes
    accepted_at: float
    reason: str = ""
    failed_at: float = 0.0
    attempts: int = 0
    is_readable: bool = True

    def as_failed(self, reason: str, failed_at: float, attempts: int) -> Record:
        """Return the record of the job in the list of failed jobs."""
        return replace(self, reason=reason, failed_at=failed_at, attempts=attempts)

    def as_failed_job(self) -> FailedJob:
        """Return the job as callers of the queue get it."""
        return FailedJob(self.id, self.lane, self.body, self.reason, self.failed_at, self.attempts)


_Moment = Annotated[float, msgspec.Meta(ge=0, le=1e11)]


class _Head(msgspec.Struct, omit_defaults=True):
    id: str
    lane: str
    accepted_at: _Moment
    base64: bool = False
    reason: str = ""
    failed_at: _Moment = 0.0
    attempts: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0


def new_job(lane: str, body: bytes, accepted_at: float) -> Record:
    """Return a job that has just been accepted."""
    return Record(os.urandom(_ID_BYTES).hex(), lane, body, accepted_at)


def write(record: Record) -> str:
    """Return the text of a message."""
    text = _as_text(record.body)
    head = _Head(
        record.id, record.lane, record.accepted_at, text is None, record.reason, record.failed_at, record.attempts
    )
    # The standard library escapes everything but ASCII, half characters too.
    line = json.dumps(msgspec.to_builtins(head))
    return f"{line}\n{base64.b64encode(record.body).decode() if text is None else text}"


def read(text: str, message_id: str, accepted_at: float) -> Record:
    """Decode a message. One of another program is returned as unreadable, so that the queue can remove it.

    Args:
        text: the message.
        message_id: the id of an unreadable message.
        accepted_at: when the message was received, for an unreadable one.
    """
    line, _, rest = text.partition("\n")
    try:
        head = msgspec.convert(json.loads(line), type=_Head)
        body = base64.b64decode(rest, validate=True) if head.base64 else rest.encode()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Record(message_id, "", text.encode("utf-8", "replace"), accepted_at, is_readable=False)
    return Record(head.id, head.lane, body, head.accepted_at, head.reason, head.failed_at, head.attempts)


def _as_text(body: bytes) -> str | None:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if _NO_TEXT.search(text) else text
