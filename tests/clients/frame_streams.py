"""Hypothesis strategies for what a client may put on the wire after the handshake: good, bad and damaged."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.clients.frames import BINARY, CLOSE, CONTINUATION, KEY, NO_KEY, PING, PONG, TEXT, masked_frame

_keys = st.sampled_from([KEY, NO_KEY, b"\0\0\0\1", b"\xff\xfe\xfd\xfc"]) | st.binary(min_size=4, max_size=4)

# Around the widths of the length; the contents of long payloads do not matter, their sizes do.
_long_sizes = st.sampled_from([124, 125, 126, 127, 128, 131, 132, 4095, 4096, 4097])
_texts = st.text(max_size=12).map(str.encode) | _long_sizes.map(lambda size: b"x" * size)
_blobs = st.binary(max_size=12) | _long_sizes.map(lambda size: b"\xff" * size)
_close_codes = st.sampled_from([0, 999, 1000, 1004, 1005, 1006, 1011, 1013, 1015, 2999, 3000, 4999, 5000])


@st.composite
def _controls(draw: st.DrawFn) -> bytes:
    opcode = draw(st.sampled_from([PING, PONG]))
    return masked_frame(opcode, draw(st.binary(max_size=6)), key=draw(_keys))


@st.composite
def _messages(draw: st.DrawFn) -> bytes:
    """A message in one to four fragments, with control frames between them."""
    opcode, payload = draw(st.tuples(st.just(TEXT), _texts) | st.tuples(st.just(BINARY), _blobs))
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
    frames = []
    for start, end in zip([0, *cuts], [*cuts, len(payload)], strict=True):
        frames.append(masked_frame(opcode, payload[start:end], key=draw(_keys), fin=False))
        frames.append(b"".join(draw(st.lists(_controls(), max_size=1))))
        opcode = CONTINUATION
    frames.pop()
    frames.append(_with_fin(frames.pop()))
    return b"".join(frames)


def _with_fin(frame: bytes) -> bytes:
    return bytes((frame[0] | 0x80,)) + frame[1:]


@st.composite
def _closes(draw: st.DrawFn) -> bytes:
    code = draw(_close_codes).to_bytes(2, "big")
    reason = draw(st.text(max_size=5).map(str.encode) | st.binary(max_size=5))
    return masked_frame(CLOSE, draw(st.sampled_from([b"", code, code + reason, code[:1]])), key=draw(_keys))


@st.composite
def wild_frames(draw: st.DrawFn) -> bytes:
    """A whole frame that may break any rule, or several."""
    return masked_frame(
        draw(st.integers(0, 15) | st.sampled_from([CONTINUATION, TEXT, BINARY])),
        draw(st.binary(max_size=8) | st.sampled_from([b"x" * 126, b"x" * 200])),
        key=draw(_keys | st.none()),
        fin=draw(st.booleans()),
        rsv=draw(st.just(0) | st.integers(0, 7)),
        length_bits=draw(st.none() | st.sampled_from([16, 64])),
    )


# Nothing but what a well-behaved client sends.
good_streams = st.lists(_messages() | _controls(), max_size=5).map(b"".join)

# Whole frames, of which some break a rule.
bad_streams = st.lists(_messages() | _controls() | _closes() | wild_frames(), min_size=1, max_size=5).map(b"".join)


@st.composite
def damaged_streams(draw: st.DrawFn) -> bytes:
    """A stream with a few bytes changed, put in or left out, and perhaps without its end."""
    stream = bytearray(draw(good_streams | bad_streams))
    for position in draw(st.lists(st.integers(0, 60), min_size=1, max_size=3)):
        stream[position : position + draw(st.integers(0, 1))] = draw(st.binary(max_size=1))
    return bytes(stream[: len(stream) - draw(st.integers(0, 8))])


# Headers that are at least plausible: random bytes alone hardly get beyond the first.
_random_heads = st.sampled_from(
    [b"\x81\x80", b"\x01\x81", b"\x80\x83", b"\x82\xfe", b"\x82\xff", b"\x88\x82", b"\x89\x80"]
)
random_streams = st.lists(_random_heads | st.binary(max_size=10), max_size=6).map(b"".join)

any_stream = good_streams | bad_streams | damaged_streams() | random_streams
