from __future__ import annotations

import tracemalloc

import pytest
from aiokafka import codec as codecs
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

from sockudo.bus.broker.connection import BadBytesError
from sockudo.bus.kafka.records import build_batch, labelled, read_batches

# Where the attributes of a batch are, of which the last bits say how it is compressed.
_ATTRIBUTES = 22


def compressed(batch: bytes, codec: int) -> bytes:
    """Return a batch that says that it is compressed, and is not."""
    return batch[:_ATTRIBUTES] + bytes([codec]) + batch[_ATTRIBUTES + 1 :]


@pytest.mark.parametrize("codec", [1, 2, 3, 4, 5, 7])
def test_a_batch_that_cannot_be_read_is_passed_over(codec: int) -> None:
    batch = build_batch([(b"t", labelled(b"n.1", b"message"))], 1)
    heard: list[tuple[bytes, int, bytes]] = []
    unreadable: list[str] = []
    second = (1).to_bytes(8, "big") + batch[8:]
    data = compressed(batch, codec) + second
    assert read_batches(data, 0, lambda *record: heard.append(record), unreadable.append, 1024) == 2
    assert heard == [(b"t", 1, labelled(b"n.1", b"message"))]
    assert len(unreadable) == 1


def gzipped(count: int, size: int) -> bytes:
    """Return a batch with so many records of so many bytes each, which are all alike, in gzip."""
    builder = DefaultRecordBatchBuilder(2, 1, 0, -1, -1, -1, 2**30)
    for number in range(count):
        builder.append(number, 1, b"t", bytes(size), [])
    return bytes(builder.build())


def read(data: bytes, most_unpacked: int) -> tuple[list[int], list[str]]:
    """Return how long each message is, and why batches were passed over."""
    sizes: list[int] = []
    reasons: list[str] = []
    read_batches(data, 0, lambda _, __, value: sizes.append(len(value)), reasons.append, most_unpacked)
    return sizes, reasons


def test_a_batch_in_gzip_is_read_up_to_the_bound() -> None:
    assert read(gzipped(3, 300), 1024) == ([300, 300, 300], [])
    plain = (7).to_bytes(8, "big") + build_batch([(b"t", b"x")], 1)[8:]
    assert read(gzipped(1, 1024) + plain, 1024) == (
        [1],
        ["it unpacks to more than 1024 bytes (adapter.kafka.max_batch_kb)"],
    )


def test_a_gzip_bomb_takes_no_memory_beyond_the_bound() -> None:
    bomb = gzipped(1, 100_000_000)
    assert len(bomb) < 200_000
    tracemalloc.start()
    try:
        sizes, reasons = read(bomb, 1024 * 1024)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (sizes, len(reasons)) == ([], 1)
    # The batch itself is copied, too.
    assert peak < 3 * 1024 * 1024


@pytest.mark.parametrize(("codec", "name"), [(2, "snappy"), (3, "lz4"), (4, "zstd"), (6, "method 6")])
def test_compression_that_cannot_be_stopped_is_not_undone(
    codec: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the library that undoes them were installed.
    monkeypatch.setattr(codecs, "cramjam", object())
    sizes, reasons = read(compressed(gzipped(1, 10), codec), 1024)
    assert (sizes, reasons) == ([], [f"it is compressed with {name}; set compression.type of the topic to producer"])


@pytest.mark.parametrize("cut", [1, 9, 20])
def test_gzip_that_is_cut_or_goes_on_is_passed_over(cut: int) -> None:
    whole = gzipped(1, 100)
    for damaged in (whole[:-cut], whole + bytes(cut)):
        resized = damaged[:8] + (len(damaged) - 12).to_bytes(4, "big") + damaged[12:]
        assert read(resized, 1024) == ([], ["its gzip does not end where it ends"])


def test_a_batch_of_an_older_format_is_passed_over() -> None:
    builder = LegacyRecordBatchBuilder(1, 1, 2**20)
    builder.append(0, 1, b"t", bytes(100_000))
    (reason,) = read(bytes(builder.build()), 1024)[1]
    assert reason.startswith("its format is older than version 2")


def test_what_is_no_batch_is_an_error() -> None:
    with pytest.raises(BadBytesError):
        read_batches(b"\0" * 16 + b"\x63" + b"garbage" * 20, 0, lambda *_: None, lambda _: None, 1024)


def test_bytes_that_break_the_library_are_no_batch() -> None:
    # A record of an old version whose key has a length below zero: the library raises SystemError.
    broken = bytes.fromhex("6c6c6c6c4a0100010000001c0037000100ffff") + bytes(16) + b"<\0NFO\xff\xff\xff\xff\xffx_"
    with pytest.raises(BadBytesError):
        read_batches(broken, 0, lambda *_: None, lambda _: None, 1024)
