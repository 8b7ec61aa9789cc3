"""Compressed messages of clients: RFC 7692, sections 6, 7.2.2 and 7.2.3, and what they may cost."""

from __future__ import annotations

import os
import sys
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from sockudo.websocket.frames import FrameReader
from sockudo.websocket.inflating import SLICE, InflatingReader
from tests.clients.frame_streams import any_stream
from tests.clients.frames import BINARY, CLOSE, CONTINUATION, KEY, PING, PONG, TEXT, masked_close, masked_frame
from tests.support.readers import is_idle

LIMIT = 3000
RSV1 = 4
deterministic = settings(deadline=None, derandomize=True, max_examples=200)

Outcome = tuple[list[tuple[int, bytes]], tuple[int, str] | None, bool]


def packed(text: bytes, level: int = 6, window_bits: int = 15) -> bytes:
    """Return the payload of a compressed message as 7.2.1 says, made by zlib alone."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -window_bits)
    data = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert data.endswith(b"\0\0\xff\xff")
    return data[:-4]


def message(text: bytes, opcode: int = TEXT) -> bytes:
    """Return a compressed message in one frame."""
    return masked_frame(opcode, packed(text), rsv=RSV1)


def fragments(payload: bytes, *cuts: int, opcode: int = TEXT, between: bytes = b"") -> bytes:
    """Return a compressed message whose payload is cut into fragments."""
    frames: list[bytes] = []
    for start, end in pairwise((0, *cuts, len(payload))):
        first = not frames
        is_last = len(frames) == len(cuts)
        frames.append(
            masked_frame(opcode if first else CONTINUATION, payload[start:end], rsv=RSV1 if first else 0, fin=is_last)
        )
    return between.join(frames)


def messages_of(reader: InflatingReader, data: bytes) -> list[tuple[int, bytes]]:
    """Feed bytes as the protocol does: nothing more until the reader has worked off what it has."""
    messages = reader.feed(data)
    while reader.is_behind:
        messages += reader.feed(b"")
    return messages


def outcome(pieces: list[bytes], limit: int = LIMIT) -> Outcome:
    """Return the messages, the violation, and whether nothing is held, after feeding `pieces`."""
    reader = InflatingReader(limit)
    messages = [message for piece in pieces for message in messages_of(reader, piece)]
    error = reader.error
    return messages, (error.close_code, error.reason) if error else None, is_idle(reader)


def code_of(data: bytes, limit: int = LIMIT) -> int | None:
    error = outcome([data], limit)[1]
    return None if error is None else error[0]


# What the RFC shows


def test_7_2_3_1_hello_in_one_and_two_frames() -> None:
    one = masked_frame(TEXT, bytes.fromhex("f248cdc9c90700"), rsv=RSV1)
    two = masked_frame(TEXT, bytes.fromhex("f248cd"), rsv=RSV1, fin=False)
    two += masked_frame(CONTINUATION, bytes.fromhex("c9c90700"))
    for stream in (one, two):
        assert outcome([stream]) == ([(TEXT, b"Hello")], None, True)


def test_7_2_3_2_a_message_refers_to_no_other() -> None:
    again = masked_frame(TEXT, bytes.fromhex("f200110000"), rsv=RSV1)
    messages, error, _ = outcome([masked_frame(TEXT, bytes.fromhex("f248cdc9c90700"), rsv=RSV1) + again])
    assert messages == [(TEXT, b"Hello")]
    assert error == (1007, "message is no DEFLATE data")


def test_7_2_3_3_a_block_without_compression() -> None:
    stream = masked_frame(TEXT, bytes.fromhex("000500faff48656c6c6f00"), rsv=RSV1)
    assert outcome([stream]) == ([(TEXT, b"Hello")], None, True)


@pytest.mark.parametrize("payload", ["f348cdc9c9070000", "f348cdc9c90700"])
def test_7_2_3_4_a_block_that_ends_the_stream(payload: str) -> None:
    assert outcome([masked_frame(TEXT, bytes.fromhex(payload), rsv=RSV1)]) == ([(TEXT, b"Hello")], None, True)


def test_7_2_3_5_two_blocks_in_one_message() -> None:
    stream = masked_frame(TEXT, bytes.fromhex("f248050000" + "00ffffcac9c90700"), rsv=RSV1)
    assert outcome([stream]) == ([(TEXT, b"Hello")], None, True)


def test_7_2_3_6_an_empty_message() -> None:
    assert outcome([masked_frame(TEXT, b"\0", rsv=RSV1)]) == ([(TEXT, b"")], None, True)


# Messages that are right


@pytest.mark.parametrize("window_bits", [9, 10, 12, 15])
@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_every_window_and_level_of_a_client_is_inflated(window_bits: int, level: int) -> None:
    for text in (b"", b"{}", b"x" * 70_000, os.urandom(40_000).hex().encode()):
        stream = masked_frame(BINARY, packed(text, level, window_bits), rsv=RSV1)
        assert outcome([stream], 100_000) == ([(BINARY, text)], None, True)


def test_plain_and_compressed_messages_may_take_turns() -> None:
    stream = message(b"one") + masked_frame(TEXT, b"two") + message(b"three") + masked_frame(PING, b"?") + message(b"4")
    assert outcome([stream])[0] == [(TEXT, b"one"), (TEXT, b"two"), (TEXT, b"three"), (PING, b"?"), (TEXT, b"4")]
    assert outcome([stream])[1:] == (None, True)


def test_control_frames_stand_between_compressed_fragments() -> None:
    stream = fragments(packed("€".encode() * 50), 1, 3, between=masked_frame(PING, b"?"))
    assert outcome([stream]) == ([(PING, b"?"), (PING, b"?"), (TEXT, "€".encode() * 50)], None, True)


def test_a_message_may_have_several_streams() -> None:
    def stream_of(text: bytes) -> bytes:
        compressor = zlib.compressobj(wbits=-15)
        return compressor.compress(text) + compressor.flush()

    payload = stream_of(b"one,") + stream_of(b"two,") + packed(b"three")
    for cuts in ((), (3,), (len(stream_of(b"one,")),), (len(stream_of(b"one,")), len(payload))):
        assert outcome([fragments(payload, *cuts)]) == ([(TEXT, b"one,two,three")], None, True), cuts


@deterministic
@given(st.text(max_size=300).map(str.encode), st.lists(st.integers(0, 400), max_size=4), st.integers(0, 9))
def test_any_text_in_any_fragments_comes_out_as_it_was(text: bytes, cuts: list[int], level: int) -> None:
    payload = packed(text, level)
    stream = fragments(payload, *sorted(min(cut, len(payload)) for cut in cuts))
    assert outcome([stream]) == ([(TEXT, text)], None, True)


def test_messages_that_websockets_compresses_are_inflated() -> None:
    extension = PerMessageDeflate(True, True, 15, 12)
    for text in (b"Hello", b"Hello", b"x" * 2000, "é".encode() * 99, b""):
        frame = extension.encode(Frame(Opcode.TEXT, text))
        assert outcome([masked_frame(TEXT, bytes(frame.data), rsv=RSV1)]) == ([(TEXT, text)], None, True)


# Messages that are wrong

WRONG = {
    "RSV1 in a ping": (masked_frame(PING, b"?", rsv=RSV1), 1002),
    "RSV1 in a pong": (masked_frame(PONG, b"?", rsv=RSV1), 1002),
    "RSV1 in a close frame": (masked_frame(CLOSE, b"\x03\xe8", rsv=RSV1), 1002),
    "RSV1 in a continuation of a plain message": (
        masked_frame(TEXT, b"a", fin=False) + masked_frame(CONTINUATION, b"b", rsv=RSV1),
        1002,
    ),
    "RSV1 in a continuation of a compressed message": (
        masked_frame(TEXT, packed(b"abc")[:2], rsv=RSV1, fin=False) + masked_frame(CONTINUATION, b"", rsv=RSV1),
        1002,
    ),
    "RSV2": (masked_frame(TEXT, packed(b"a"), rsv=RSV1 | 2), 1002),
    "RSV3": (masked_frame(TEXT, b"a", rsv=1), 1002),
    "RSV1 and an unknown opcode": (masked_frame(3, b"a", rsv=RSV1), 1002),
    "a message inside a compressed one": (
        masked_frame(TEXT, packed(b"abc")[:2], rsv=RSV1, fin=False) + masked_frame(TEXT, b"x"),
        1002,
    ),
    "garbage": (masked_frame(TEXT, b"\xff\xff\xff\xff", rsv=RSV1), 1007),
    "JSON that says to be compressed": (masked_frame(TEXT, b'{"event":"pusher:ping"}', rsv=RSV1), 1007),
    "nothing": (masked_frame(TEXT, b"", rsv=RSV1), 1007),
    "cut off": (masked_frame(TEXT, packed(b"Hello, hello, hello" * 9)[:-3], rsv=RSV1), 1007),
    "garbage behind the end of the stream": (masked_frame(TEXT, bytes.fromhex("f348cdc9c90700ffff"), rsv=RSV1), 1007),
    "a distance beyond the beginning": (masked_frame(TEXT, bytes.fromhex("f200110000"), rsv=RSV1), 1007),
    "inflated text that is not UTF-8": (message(b"\xc3("), 1007),
    "a character cut off": (message(b"abc\xe2\x82"), 1007),
    "a bomb": (message(b"\0" * 10_000_000), 1009),
    "a byte too many": (message(b"x" * (LIMIT + 1)), 1009),
    "a bomb in fragments": (fragments(packed(b"x" * 100_000), 5, 20, 60), 1009),
    "a bomb that never ends": (fragments(packed(b"x" * 100_000), 90)[:100], 1009),
    "more streams than anybody needs": (masked_frame(TEXT, bytes.fromhex("0300") * 65, rsv=RSV1), 1007),
    "too long before it is inflated": (masked_frame(TEXT, os.urandom(LIMIT + 200), rsv=RSV1), 1009),
    "too long in fragments that inflate to nothing": (
        fragments(b"\0\0\0\xff\xff" * 2000, *range(500, 10_000, 500)),
        1009,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_message_is_refused_with_its_code(name: str) -> None:
    stream, code = WRONG[name]
    before = message(b"before") + masked_frame(TEXT, b"it")
    assert code_of(stream) == code
    messages, error, _ = outcome([before + stream + message(b"after")])
    assert messages[:2] == [(TEXT, b"before"), (TEXT, b"it")]
    assert (TEXT, b"after") not in messages
    assert error is not None
    assert error[0] == code


def test_a_message_may_be_exactly_as_long_as_the_limit() -> None:
    for text in (b"x" * LIMIT, os.urandom(LIMIT // 2).hex().encode()):
        assert outcome([message(text)]) == ([(TEXT, text)], None, True)


def test_a_bomb_is_inflated_no_further_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._inflater = real(wbits)

        def decompress(self, data: bytes, most: int) -> bytes:
            assert most
            made.append(len(plain := self._inflater.decompress(data, most)))
            return plain

    monkeypatch.setattr("sockudo.websocket.inflating.zlib.decompressobj", Counting)
    assert code_of(message(b"\0" * 2_000_000)) == 1009
    assert sum(made) == LIMIT + 1


# The transport may cut the stream anywhere

STREAMS = {
    "one message": message(b"Hello"),
    "fragments around a ping": fragments(packed("é€".encode() * 9), 2, 7, between=masked_frame(PING, b"?")),
    "compressed, plain, compressed": message(b"a") + masked_frame(TEXT, b"b") + message(b"c"),
    "a close behind a message": message(b"bye") + masked_close(1000) + message(b"no"),
    **{name: message(b"ok") + stream for name, (stream, _) in WRONG.items()},
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_may_be_cut_anywhere(name: str) -> None:
    stream = STREAMS[name]
    whole = outcome([stream])
    for i in [*range(min(len(stream), 80)), *range(80, len(stream), 97), len(stream)]:
        assert outcome([stream[:i], stream[i:]]) == whole, i
    if len(stream) < 2000:
        assert outcome([stream[i : i + 1] for i in range(len(stream))]) == whole


@deterministic
@given(st.lists(st.one_of(st.sampled_from(sorted(STREAMS)), any_stream), min_size=1, max_size=3), st.data())
def test_any_stream_may_be_cut_into_any_pieces(parts: list[str | bytes], data: st.DataObject) -> None:
    stream = b"".join(STREAMS[part] if isinstance(part, str) else part for part in parts)
    positions = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in pairwise((0, *positions, len(stream)))]
    assert outcome(pieces) == outcome([stream])


@deterministic
@given(any_stream)
def test_what_is_not_compressed_is_read_as_without_compression(stream: bytes) -> None:
    reader = FrameReader(LIMIT)
    messages = reader.feed(stream)
    ours, error, _ = outcome([stream])
    if reader.error is None or reader.error.reason != "reserved bit is set":
        assert (ours, error and error[0]) == (messages, reader.error and reader.error.close_code)
    else:
        assert ours[: len(messages)] == messages


# What it may cost


def test_a_reader_keeps_nothing_between_two_messages() -> None:
    reader = InflatingReader(100_000)
    for text in (b"x" * 90_000, b"{}"):
        messages_of(reader, message(text))
        assert is_idle(reader)
    assert sys.getsizeof(reader) <= 80
    assert not hasattr(reader, "__dict__")


def test_one_feed_inflates_a_slice_and_later_ones_go_on() -> None:
    reader = InflatingReader(10_000_000)
    texts = [b"a" * 5_000_000, b"b" * 10, b"c" * 300_000]
    messages = reader.feed(b"".join(map(message, texts)) + masked_frame(PING, b"?"))
    feeds = 1
    assert messages == []
    while reader.is_behind:
        held = reader._assembler
        before = 0 if held is None else len(held._message)
        messages += reader.feed(b"")
        feeds += 1
        held = reader._assembler
        after = 0 if held is None else len(held._message)
        assert after - before <= 2 * SLICE
    assert [payload for _, payload in messages] == [*texts, b"?"]
    assert feeds >= sum(map(len, texts)) // (2 * SLICE)


def test_many_small_bombs_in_one_read_are_inflated_in_slices() -> None:
    reader = InflatingReader(65_536)
    bomb = message(b" " * 65_536)
    messages = reader.feed(bomb * 40)
    assert len(messages) <= 3
    while reader.is_behind:
        more = reader.feed(b"")
        assert len(more) <= 3
        messages += more
    assert len(messages) == 40


def test_a_reader_counts_what_inflating_has_added() -> None:
    reader = InflatingReader(LIMIT)
    text = b"x" * 2000
    messages_of(reader, masked_frame(TEXT, b"plain") + message(text))
    assert reader.saved == len(text) - len(packed(text))


@pytest.mark.parametrize("held", ["nothing", "half a message", "a slice"])
def test_a_reader_that_skims_inflates_nothing_and_finds_the_close(held: str) -> None:
    reader = InflatingReader(1_000_000)
    if held == "half a message":
        reader.feed(fragments(packed(b"x" * 1000), 3)[:15])
    elif held == "a slice":
        reader.feed(message(b"x" * 1_000_000))
        assert reader.is_behind
    reader.skim()
    assert not reader.is_behind
    rest = fragments(packed(b"x" * 1000), 3)[15:] if held == "half a message" else b""
    garbage = masked_frame(TEXT, b"\xff\xff", rsv=RSV1) + fragments(b"\xff" * 9, 3)
    assert reader.feed(rest + garbage + message(b"\0" * 999) + masked_close(1000)) == [(CLOSE, b"\x03\xe8")]
    assert reader.error is None


def test_a_giant_length_reserves_nothing() -> None:
    reader = InflatingReader(1 << 40)
    reader.feed(b"\xc1\xff" + (1 << 39).to_bytes(8, "big") + KEY + b"x" * 100)
    held = reader._assembler
    assert held is not None
    assert sum(sys.getsizeof(getattr(held, slot)) for slot in held.__slots__) < 2000
