"""What a connection may cost: memory is bounded by what arrived, work by its size (section 10.4).

Work is counted, never timed, so that the tests say the same on every machine.
"""

from __future__ import annotations

import sys

import pytest

from sockudo.websocket import frames
from sockudo.websocket.frames import BINARY, CONTINUATION, PING, TEXT, FrameReader
from sockudo.websocket.masking import unmask
from tests.clients.frames import KEY, NO_KEY, masked_close, masked_frame
from tests.support.readers import is_idle

# An idle reader is one object with three references.
IDLE_SIZE = 64
# Its assembler: one object, a few numbers, three empty buffers, a decoder.
OVERHEAD = 700


def held(reader: FrameReader) -> int:
    """Return the bytes that the reader owns, all in all, while no error is set."""
    assembler = reader._assembler
    if assembler is None:
        return sys.getsizeof(reader)
    parts = [getattr(assembler, slot) for slot in assembler.__slots__]
    return sys.getsizeof(reader) + sys.getsizeof(assembler) + sum(map(sys.getsizeof, parts))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count what the reader does: headers looked at, octets unmasked, octets of whole texts validated."""
    counts = {"headers": 0, "unmasked": 0, "validated": 0}
    read_header, is_utf8 = frames.FrameAssembler._read_header, frames._is_utf8

    def count_header(self: frames.FrameAssembler, data: bytes, position: int) -> int:
        counts["headers"] += 1
        return read_header(self, data, position)

    def count_unmask(payload: bytes, key: bytes) -> bytes:
        counts["unmasked"] += len(payload)
        return unmask(payload, key)

    def count_is_utf8(payload: bytes) -> bool:
        counts["validated"] += len(payload)
        return is_utf8(payload)

    monkeypatch.setattr(frames.FrameAssembler, "_read_header", count_header)
    monkeypatch.setattr(frames, "unmask", count_unmask)
    monkeypatch.setattr(frames, "_is_utf8", count_is_utf8)
    return counts


# Memory


def test_an_idle_reader_is_tiny() -> None:
    reader = FrameReader(1 << 20)
    assert held(reader) <= IDLE_SIZE
    assert not hasattr(reader, "__dict__")


@pytest.mark.parametrize(
    "stream",
    [
        masked_frame(TEXT, b"x" * 50000),
        masked_frame(TEXT, b"x" * 50000, fin=False) + masked_frame(CONTINUATION, b"x" * 50000),
        masked_frame(PING, b"x" * 125),
        masked_frame(TEXT, b"x") * 100,
    ],
)
def test_a_reader_is_tiny_again_once_its_messages_are_complete(stream: bytes) -> None:
    reader = FrameReader(1 << 20)
    for i in range(0, len(stream), 1000):
        reader.feed(stream[i : i + 1000])
    assert is_idle(reader)
    assert held(reader) <= IDLE_SIZE


def test_10_4_a_giant_length_reserves_nothing() -> None:
    """Neither while its header is incomplete nor after: only what arrives is kept."""
    reader = FrameReader(1 << 63)
    header = b"\x82\xff" + (1 << 62).to_bytes(8, "big") + KEY
    reader.feed(header[:7])
    assert held(reader) <= IDLE_SIZE + OVERHEAD
    reader.feed(header[7:])
    assert held(reader) <= IDLE_SIZE + OVERHEAD
    reader.feed(b"x" * 1000)
    assert reader.error is None
    assert not is_idle(reader)
    assert held(reader) <= IDLE_SIZE + OVERHEAD + 1200


def test_10_4_a_message_in_many_fragments_takes_little_extra() -> None:
    reader = FrameReader(1 << 20)
    reader.feed(masked_frame(TEXT, b"", fin=False))
    for _ in range(10000):
        reader.feed(masked_frame(CONTINUATION, b"x", fin=False))
    assert held(reader) <= IDLE_SIZE + OVERHEAD + 10000 * 1.25


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_10_4_a_million_empty_fragments_take_nothing(opcode: int) -> None:
    reader = FrameReader(1000)
    reader.feed(masked_frame(opcode, b"abc", fin=False))
    before = held(reader)
    thousand = masked_frame(CONTINUATION, b"", key=NO_KEY, fin=False) * 1000
    for _ in range(1000):
        assert reader.feed(thousand) == []
    assert reader.error is None
    assert held(reader) == before
    assert reader.feed(masked_frame(CONTINUATION, b"d")) == [(opcode, b"abcd")]


def test_10_4_endless_fragments_end_at_the_limit() -> None:
    reader = FrameReader(1000)
    reader.feed(masked_frame(BINARY, b"x", fin=False))
    fragments = 1
    while reader.error is None:
        reader.feed(masked_frame(CONTINUATION, b"x", fin=False))
        fragments += 1
    assert (fragments, reader.error.close_code) == (1001, 1009)


@pytest.mark.parametrize("end", [masked_close(1000), masked_frame(0x3), masked_frame(TEXT, b"\xff")])
def test_nothing_is_kept_after_the_end(end: bytes) -> None:
    """Whatever was held is dropped and whatever still comes is not stored."""
    reader = FrameReader(1 << 20)
    reader.feed(masked_frame(BINARY, b"x" * 100000, fin=False))
    reader.feed(end if end[0] != 0x81 else masked_frame(CONTINUATION) + end)
    before = held(reader)
    for _ in range(100):
        assert reader.feed(b"x" * 10000) == []
    assert held(reader) == before <= IDLE_SIZE + OVERHEAD


# Work


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_big_split_message_is_parsed_unmasked_and_validated_once(calls: dict[str, int], piece: int) -> None:
    size = 200_000
    stream = masked_frame(TEXT, b"x" * size)
    reader = FrameReader(size)
    messages = [message for i in range(0, len(stream), piece) for message in reader.feed(stream[i : i + piece])]
    assert messages == [(TEXT, b"x" * size)]
    # A header of 14 bytes can be incomplete 13 times.
    assert calls["headers"] <= 14
    assert calls["unmasked"] == size
    assert calls["validated"] == size


def test_a_big_message_in_pieces_is_collected_in_one_buffer() -> None:
    """The buffer grows in place; joining all the pieces again at each feed would take time squared."""
    stream = masked_frame(BINARY, b"x" * 200_000)
    reader = FrameReader(1 << 20)
    reader.feed(stream[:20])
    assert reader._assembler is not None
    body = reader._assembler._body
    assert body is not None
    for i in range(20, len(stream) - 1):
        reader.feed(stream[i : i + 1])
        assert reader._assembler._head == b""
    assert reader._assembler._body is body
    assert len(body) == 200_000 - 1
    assert [len(payload) for _, payload in reader.feed(stream[-1:])] == [200_000]


def test_a_message_in_many_fragments_is_unmasked_once(calls: dict[str, int]) -> None:
    reader = FrameReader(1 << 20)
    stream = masked_frame(TEXT, b"ab", fin=False) + masked_frame(CONTINUATION, b"cd", fin=False) * 2000
    reader.feed(stream)
    [(_, message)] = reader.feed(masked_frame(CONTINUATION, b"ef"))
    assert len(message) == 4004
    assert calls == {"headers": 2002, "unmasked": 4004, "validated": 0}


def test_a_short_text_frame_that_arrives_whole_needs_no_assembler(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is nearly all the traffic there is, so it takes the short way at every size it is meant for."""

    def refuse(max_message_bytes: int) -> None:
        raise AssertionError("an assembler was made")

    monkeypatch.setattr(frames, "FrameAssembler", refuse)
    reader = FrameReader(1 << 20)
    for size in [0, 1, 2, 3, 4, 5, 120, 125, 126, 127, 1000, 65535]:
        for character in ("x", "é"):
            payload = (character * size).encode()[:size].decode("utf-8", "ignore").encode()
            for key in (KEY, NO_KEY):
                assert reader.feed(masked_frame(TEXT, payload, key=key)) == [(TEXT, payload)]
