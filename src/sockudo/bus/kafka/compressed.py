"""Undoes the compression of a batch of records, within a bound.

Nodes compress nothing, but the topic may have `compression.type` set, and others may publish to it. The library of the
format unpacks without a bound: 50 MB of zeros are a batch of 48 KB, and take the loop 0.4 s. Only gzip, which Python
brings, can be stopped on the way; what other methods claim to unpack to is reserved before anything is known.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

from aiokafka.record.default_records import DefaultRecordBatch

_OFFSET_AND_LENGTH: Final = struct.Struct(">qi")
_LENGTH: Final = struct.Struct(">i")
# Where the length and the attributes of a batch are, and where its records begin.
_LENGTH_AT: Final = 8
_ATTRIBUTES_AT: Final = 22
_RECORDS_AT: Final = 61
_CODEC: Final = 0x07
_GZIP: Final = 1
_NAMES: Final = {2: "snappy", 3: "lz4", 4: "zstd"}
# The window of gzip's format, its header included.
_GZIP_WINDOW: Final = 31


class CompressedError(Exception):
    """A batch is compressed in a way that is not undone here, or too large. The message says which."""


def unpacked(compressed: Any, data: bytes, most: int) -> DefaultRecordBatch:
    """Return a batch with its records as they were.

    Args:
        data: several batches, among them this one.
        most: how many bytes its records may have.

    Raises:
        CompressedError: it stays as it is.
    """
    if not isinstance(compressed, DefaultRecordBatch):
        raise CompressedError("its format is older than version 2, and may be compressed without saying so")
    batch = _find(data, compressed.base_offset)
    codec = batch[_ATTRIBUTES_AT] & _CODEC
    if codec != _GZIP:
        name = _NAMES.get(codec, f"method {codec}")
        raise CompressedError(f"it is compressed with {name}; set compression.type of the topic to producer")
    records = _gunzipped(batch[_RECORDS_AT:], most)
    head = bytearray(batch[:_RECORDS_AT])
    head[_ATTRIBUTES_AT] &= ~_CODEC
    _LENGTH.pack_into(head, _LENGTH_AT, _RECORDS_AT - _OFFSET_AND_LENGTH.size + len(records))
    return DefaultRecordBatch(bytes(head) + records)


def _gunzipped(data: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        records = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise CompressedError(f"it is no gzip: {error}") from error
    if len(records) > most:
        raise CompressedError(f"it unpacks to more than {most} bytes (adapter.kafka.max_batch_kb)")
    if not unpacker.eof or unpacker.unused_data:
        raise CompressedError("its gzip does not end where it ends")
    return records


def _find(data: bytes, offset: int) -> bytes:
    position = 0
    while position + _RECORDS_AT <= len(data):
        begins, length = _OFFSET_AND_LENGTH.unpack_from(data, position)
        end = position + _OFFSET_AND_LENGTH.size + length
        if begins == offset:
            return data[position:end]
        if length <= 0:
            break
        position = end
    raise CompressedError("it is not there as a whole")
