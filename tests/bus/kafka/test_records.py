from __future__ import annotations

import pytest

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
    assert read_batches(data, 0, lambda *record: heard.append(record), unreadable.append) == 2
    assert heard == [(b"t", 1, labelled(b"n.1", b"message"))]
    assert len(unreadable) == 1


def test_what_is_no_batch_is_an_error() -> None:
    with pytest.raises(BadBytesError):
        read_batches(b"\0" * 16 + b"\x63" + b"garbage" * 20, 0, lambda *_: None, lambda _: None)


def test_bytes_that_break_the_library_are_no_batch() -> None:
    # A record of an old version whose key has a length below zero: the library raises SystemError.
    broken = bytes.fromhex("6c6c6c6c4a0100010000001c0037000100ffff") + bytes(16) + b"<\0NFO\xff\xff\xff\xff\xffx_"
    with pytest.raises(BadBytesError):
        read_batches(broken, 0, lambda *_: None, lambda _: None)
