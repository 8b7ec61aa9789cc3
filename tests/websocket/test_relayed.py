from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.websocket.frames import BINARY, encode_frame, text_frame
from sockudo.websocket.relayed import is_text_frame, is_utf8
from tests.support.properties import THOROUGH

LENGTHS = [0, 1, 125, 126, 127, 65535, 65536, 100_000]


@pytest.mark.parametrize("length", LENGTHS)
def test_what_this_server_frames_is_a_text_frame(length: int) -> None:
    assert is_text_frame(text_frame(b"x" * length))
    assert is_text_frame(text_frame("é".encode() * (length // 2)))


@pytest.mark.parametrize("length", LENGTHS)
def test_a_frame_of_another_length_is_no_text_frame(length: int) -> None:
    frame = text_frame(b"x" * length)
    assert not is_text_frame(frame + b"x")
    assert not is_text_frame(frame[:-1])
    assert not is_text_frame(frame + frame)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x81",
        b"not a frame",
        encode_frame(BINARY, b"{}"),
        b"\x01\x02{}",  # a fragment
        b"\x81\x82\0\0\0\0{}",  # masked
        b"\xc1\x02{}",  # a reserved bit
        b"\x81\x7e\x00\x02{}",  # a length that is not minimal
        b"\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x02{}",
        b"\x81\x7e\x00",
        b"\x81\x7f\x00\x00",
        text_frame(b"\xff\xfe"),
        text_frame(b"\xed\xa0\x80"),  # half of a pair
    ],
)
def test_anything_else_is_no_text_frame(frame: bytes) -> None:
    assert not is_text_frame(frame)


@given(st.binary(max_size=300))
@THOROUGH
def test_bytes_are_a_text_frame_only_if_reframing_keeps_them(data: bytes) -> None:
    payload = data[2:] if len(data) < 128 else data[4:]
    assert is_text_frame(data) is (is_utf8(payload) and text_frame(payload) == data)
