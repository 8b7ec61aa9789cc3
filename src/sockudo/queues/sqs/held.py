"""Messages of SQS that are in this process."""

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
    """A message that is hidden from others because it is here."""

    def __init__(self, message: Message, record: Record, first: int, ends: float) -> None:
        """Hold a message whose first attempt here has this number, until a moment of the loop's time."""
        self.message = message
        self.record = record
        self.lease = Lease(ends)
        self.first = first
        self.tries = 0
        self.due = 0.0
        """When it may be tried again, by the loop's time."""
        self.is_renewed = True

    @property
    def attempt(self) -> int:
        """The number of the attempt that was begun last."""
        return self.first + self.tries - 1


class Holdings:
    """All that are here, within bounds: whoever fetches looks first whether there is room."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._bytes = 0

    def __iter__(self) -> Iterator[Held]:
        return iter(self._held.values())

    @property
    def is_full(self) -> bool:
        """Whether no more should be fetched."""
        return len(self._held) >= _MOST or self._bytes >= _MOST_BYTES

    def get(self, message_id: str) -> Held | None:
        """Return a message that is here."""
        return self._held.get(message_id)

    def add(self, held: Held) -> None:
        """Note one that has come, perhaps in place of itself."""
        self.remove(self._held.get(held.message.id, held))
        self._held[held.message.id] = held
        self._bytes += len(held.record.body)

    def remove(self, held: Held) -> None:
        """Note that one is not here any more."""
        if self._held.get(held.message.id) is held:
            del self._held[held.message.id]
            self._bytes -= len(held.record.body)


class Corrections:
    """By how much SQS is wrong about attempts, which it counts as receipts; known for the messages of late."""

    def __init__(self) -> None:
        self._by_message: dict[str, int] = {}

    def first_attempt(self, message: Message) -> int:
        """Return the number of the next attempt at a message that has just been received."""
        return max(1, message.receives - self._by_message.pop(message.id, 0))

    def given_back(self, held: Held) -> None:
        """Note what will be wrong when a message is received again."""
        self._by_message[held.message.id] = held.message.receives + 1 - held.first - held.tries
        if len(self._by_message) > _MOST_CORRECTIONS:
            del self._by_message[next(iter(self._by_message))]
