"""Keeps the messages of SQS that this process holds, and the number of their attempts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sockudo.queues.lease import Lease
from sockudo.queues.sqs.records import Record
from sockudo.queues.sqs.store import Message

_MOST: Final = 5000
_MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_CORRECTIONS: Final = 10_000


class Held:
    """A message that SQS hides from other processes because it is here."""

    def __init__(self, message: Message, record: Record, first: int, ends: float) -> None:
        """Hold a message whose first attempt here has this number, until a moment of the loop's time."""
        self.message = message
        self.record = record
        self.lease = Lease(ends)
        self.first = first
        self.tries = 0
        self.due = 0.0
        """When the next attempt may begin, by the loop's time."""
        self.is_renewed = True

    @property
    def attempt(self) -> int:
        """The number of the last attempt."""
        return self.first + self.tries - 1


class Holdings:
    """All messages here, within bounds: the consumer fetches only if there is room."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._bytes = 0

    def __iter__(self) -> Iterator[Held]:
        return iter(self._held.values())

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more messages."""
        return len(self._held) >= _MOST or self._bytes >= _MOST_BYTES

    def get(self, message_id: str) -> Held | None:
        """Return a message that is here."""
        return self._held.get(message_id)

    def add(self, held: Held) -> None:
        """Add a message, which may replace an earlier receipt of itself."""
        self.remove(self._held.get(held.message.id, held))
        self._held[held.message.id] = held
        self._bytes += len(held.record.body)

    def remove(self, held: Held) -> None:
        """Remove a message."""
        if self._held.get(held.message.id) is held:
            del self._held[held.message.id]
            self._bytes -= len(held.record.body)


class Corrections:
    """The difference between attempts and receipts, which SQS counts; kept for the latest messages."""

    def __init__(self) -> None:
        self._by_message: dict[str, int] = {}

    def first_attempt(self, message: Message) -> int:
        """Return the number of the next attempt at a message that has just been received."""
        return max(1, message.receives - self._by_message.pop(message.id, 0))

    def given_back(self, held: Held) -> None:
        """Note the difference for the next receipt of a message."""
        self._by_message[held.message.id] = held.message.receives + 1 - held.first - held.tries
        if len(self._by_message) > _MOST_CORRECTIONS:
            del self._by_message[next(iter(self._by_message))]
