"""Messages of the bus as records of Kafka, in batches; `aiokafka` does their format and their checksum.

The key of a record is the topic of the bus. Its value begins with a label (see `labels.py`), which has its length
before it in one byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from sockudo.bus.broker.connection import BadBytesError
from sockudo.bus.kafka.compressed import CompressedError, unpacked

# What a record takes besides its key and its value, and a batch besides its records, at most.
OVERHEAD: Final = 100
_VERSION: Final = 2
_NONE: Final = -1
_UNKNOWN: Final = 1
# Who fills a batch minds its length.
_UNLIMITED: Final = 2**30

Record = tuple[bytes, bytes]
Heard = Callable[[bytes, int, bytes], None]


def labelled(label: bytes, data: bytes) -> bytes:
    """Return the value of a message's record."""
    return b"%c%b%b" % (len(label), label, data)


def unlabelled(value: bytes) -> tuple[bytes, bytes]:
    """Return label and message of a value."""
    end = 1 + value[0] if value else 0
    return value[1:end], value[end:]


def build_batch(records: Iterable[Record], milliseconds: int) -> bytes:
    """Return a batch of records, all of one time."""
    # hot path
    builder = DefaultRecordBatchBuilder(_VERSION, 0, 0, _NONE, _NONE, _NONE, _UNLIMITED)
    for offset, (key, value) in enumerate(records):
        builder.append(offset, milliseconds, key, value, [])
    return bytes(builder.build())


def read_batches(
    data: bytes, position: int, heard: Heard, unreadable: Callable[[str], None], most_unpacked: int
) -> int:
    """Hand on the records from `position` on, each with its key, offset and value; returns the position after them.

    Args:
        unreadable: told why a batch cannot be read, such as one that a stranger has compressed in a way that nothing
            here can undo. It is passed over.
        most_unpacked: how many bytes the records of a compressed batch may have.

    Raises:
        BadBytesError: what came is no batch of records.
    """
    # hot path
    for batch, is_control_batch, following in _batches(data):
        # What begins or ends a transaction is no message.
        if not is_control_batch:
            for key, offset, value in _read(batch, data, position, most_unpacked, unreadable):
                heard(key, offset, value)
        position = max(position, following)
    return position


def _batches(data: bytes) -> Iterator[tuple[Any, bool, int]]:
    """Yield each batch, whether it is a control batch, and the offset after it."""
    try:
        records = MemoryRecords(data)
        while records.has_next():
            batch = records.next_batch()
            assert batch is not None, "there is a next one"
            yield batch, batch.is_control_batch, batch.next_offset
    # The library stumbles over bytes that no broker sends in many ways, SystemError among them.
    except Exception as problem:
        raise BadBytesError(f"a batch of records that cannot be read: {problem}") from problem


def _read(
    batch: Any, data: bytes, position: int, most_unpacked: int, unreadable: Callable[[str], None]
) -> list[tuple[bytes, int, bytes]]:
    try:
        # Batches of the formats before do not say how they are compressed.
        if getattr(batch, "compression_type", _UNKNOWN):
            batch = unpacked(batch, data, most_unpacked)
        return [
            (record.key, record.offset, record.value)
            for record in batch
            if record.offset >= position and record.key is not None and record.value is not None
        ]
    except CompressedError as problem:
        unreadable(str(problem))
        return []
    # Anybody may have published bytes on which the library fails, in any way.
    except Exception as problem:
        unreadable(f"{type(problem).__name__}: {problem}")
        return []
