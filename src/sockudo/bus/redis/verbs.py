"""The commands of the two kinds of pub/sub in Redis: the plain kind, and the sharded kind of a cluster.

In this package a *name* is what Redis calls a channel: the bytes of the prefix and a topic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from sockudo.redis_client.key_slot import key_slot

_LONGEST_BATCH: Final = 512

Batches = Callable[[Iterable[bytes]], Iterator[list[bytes]]]


@dataclass(frozen=True, slots=True)
class Verbs:
    """The commands of one kind, and the words with which the server's replies begin.

    Attributes:
        batches: splits names into lists that fit into one command each.
        may_be_quiet: whether messages need no answer. In a cluster an answer tells that a slot has moved.
    """

    publish: bytes
    subscribe: bytes
    unsubscribe: bytes
    message: bytes
    subscribed: bytes
    unsubscribed: bytes
    batches: Batches
    may_be_quiet: bool


def _in_chunks(names: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch = list(names)
    for start in range(0, len(batch), _LONGEST_BATCH):
        yield batch[start : start + _LONGEST_BATCH]


def _by_slot(names: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Split names by slot, because all names of a command must be in one slot."""
    for _, group in groupby(sorted(names, key=key_slot), key=key_slot):
        yield from _in_chunks(group)


PLAIN: Final = Verbs(
    b"PUBLISH",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"message",
    b"subscribe",
    b"unsubscribe",
    batches=_in_chunks,
    may_be_quiet=True,
)
SHARDED: Final = Verbs(
    b"SPUBLISH",
    b"SSUBSCRIBE",
    b"SUNSUBSCRIBE",
    b"smessage",
    b"ssubscribe",
    b"sunsubscribe",
    batches=_by_slot,
    may_be_quiet=False,
)
