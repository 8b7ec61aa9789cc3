"""How the transport cuts the stream into pieces changes nothing: not a message, not the verdict.

TCP promises bytes, not boundaries, so this is section 5.2 ("the data framing") seen from below.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sockudo.websocket.frames import FrameReader
from tests.clients.frame_streams import any_stream
from tests.clients.frames import (
    BINARY,
    CONTINUATION,
    PING,
    TEXT,
    mask,
    masked_close,
    masked_frame,
)
from tests.support.readers import is_idle

Outcome = tuple[list[tuple[int, bytes]], tuple[int, str] | None, bool]

LIMIT = 3000
deterministic = settings(deadline=None, derandomize=True, max_examples=250)


def outcome(pieces: list[bytes]) -> Outcome:
    """Return the messages, the violation, and whether nothing is held, after feeding `pieces`."""
    reader = FrameReader(LIMIT)
    messages = [message for piece in pieces for message in reader.feed(piece)]
    error = reader.error
    return messages, (error.close_code, error.reason) if error else None, is_idle(reader)


def cut(stream: bytes, positions: list[int]) -> list[bytes]:
    bounds = [0, *sorted(positions), len(stream)]
    return [stream[start:end] for start, end in pairwise(bounds)]


def one_byte_at_a_time(stream: bytes) -> list[bytes]:
    return [stream[i : i + 1] for i in range(len(stream))]


# Streams with a bit of everything, for the tests that try every cut.
STREAMS = {
    "one message": masked_frame(TEXT, b"Hello"),
    "a message with a 16-bit length": masked_frame(TEXT, "é".encode() * 70),
    "three messages": masked_frame(TEXT, b"a") + masked_frame(BINARY, b"") + masked_frame(TEXT, b"c"),
    "fragments around a ping": masked_frame(TEXT, b"\xe2", fin=False)
    + masked_frame(PING, b"?")
    + masked_frame(CONTINUATION, b"\x82", fin=False)
    + masked_frame(CONTINUATION, b"\xac"),
    "a message and a close, and what nobody reads": masked_frame(TEXT, b"bye") + masked_close(1000, "é") + b"\xff\xff",
    "an unmasked frame after a good one": masked_frame(TEXT, b"ok") + masked_frame(TEXT, b"no", key=None),
    "a reserved bit": masked_frame(TEXT, b"ok") + masked_frame(TEXT, b"no", rsv=1),
    "text that is not UTF-8": masked_frame(TEXT, b"ok") + masked_frame(TEXT, b"\xc3("),
    "fragments that are not UTF-8": masked_frame(TEXT, b"\xe2", fin=False)
    + masked_frame(CONTINUATION, b"(", fin=False),
    "a length that is not minimal": masked_frame(TEXT, b"Hello", length_bits=64),
    "a length beyond the limit": masked_frame(BINARY, b"x" * (LIMIT + 1))[:40],
    "a close with half a code": masked_frame(TEXT, b"ok") + masked_frame(0x8, b"\x03") + masked_frame(TEXT, b"no"),
    "half a frame": masked_frame(TEXT, b"x" * 200)[:50],
}


def test_the_examples_do_what_their_names_say() -> None:
    """Otherwise the tests below would compare nothing with nothing."""
    messages = {name: [payload for _, payload in outcome([stream])[0]] for name, stream in STREAMS.items()}
    codes = {name: error[0] for name, stream in STREAMS.items() if (error := outcome([stream])[1])}
    assert messages == {
        "one message": [b"Hello"],
        "a message with a 16-bit length": ["é".encode() * 70],
        "three messages": [b"a", b"", b"c"],
        "fragments around a ping": [b"?", "€".encode()],
        "a message and a close, and what nobody reads": [b"bye", b"\x03\xe8\xc3\xa9"],
        "an unmasked frame after a good one": [b"ok"],
        "a reserved bit": [b"ok"],
        "text that is not UTF-8": [b"ok"],
        "fragments that are not UTF-8": [],
        "a length that is not minimal": [],
        "a length beyond the limit": [],
        "a close with half a code": [b"ok"],
        "half a frame": [],
    }
    assert codes == {
        "an unmasked frame after a good one": 1002,
        "a reserved bit": 1002,
        "text that is not UTF-8": 1007,
        "fragments that are not UTF-8": 1007,
        "a length that is not minimal": 1002,
        "a length beyond the limit": 1009,
        "a close with half a code": 1002,
    }


def test_5_2_a_stream_may_be_cut_in_two_anywhere() -> None:
    for name, stream in STREAMS.items():
        whole = outcome([stream])
        for i in range(len(stream) + 1):
            assert outcome(cut(stream, [i])) == whole, (name, i)


def test_5_2_short_streams_may_be_cut_anywhere_in_three() -> None:
    for name, stream in STREAMS.items():
        whole = outcome([stream])
        for i in range(min(len(stream), 40) + 1):
            for j in range(i, min(len(stream), 40) + 1):
                assert outcome(cut(stream, [i, j])) == whole, (name, i, j)


def test_5_2_a_stream_may_come_byte_by_byte() -> None:
    for name, stream in STREAMS.items():
        assert outcome(one_byte_at_a_time(stream)) == outcome([stream]), name


@deterministic
@given(any_stream)
def test_5_2_any_stream_may_be_cut_in_two_anywhere(stream: bytes) -> None:
    whole = outcome([stream])
    # Every cut in a short stream, and in a long one its first bytes and a raster of the rest.
    for i in [*range(min(len(stream), 64)), *range(64, len(stream), 97), len(stream)]:
        assert outcome(cut(stream, [i])) == whole


@deterministic
@given(any_stream, st.data())
def test_5_2_any_stream_may_be_cut_into_any_pieces(stream: bytes, data: st.DataObject) -> None:
    positions = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    assert outcome(cut(stream, positions)) == outcome([stream])


@deterministic
@given(any_stream)
def test_5_2_any_stream_may_come_byte_by_byte(stream: bytes) -> None:
    assert outcome(one_byte_at_a_time(stream)) == outcome([stream])


@deterministic
@given(any_stream, st.integers(0, 300))
def test_5_2_an_early_verdict_stands_whatever_follows(stream: bytes, length: int) -> None:
    """What was delivered or refused early is never taken back: messages only grow, an error stays."""
    messages, error, _ = outcome([stream[:length]])
    all_messages, final_error, _ = outcome([stream])
    assert all_messages[: len(messages)] == messages
    if error is not None:
        assert (all_messages, final_error) == (messages, error)


@deterministic
@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_5_3_unmasking_undoes_masking(payload: bytes, key: bytes) -> None:
    assert mask(mask(payload, key), key) == payload
    assert outcome([masked_frame(BINARY, payload, key=key)]) == ([(BINARY, payload)], None, True)
