"""Compressed text frames: RFC 7692, sections 6 and 7.2.1."""

from __future__ import annotations

import json
import os
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from sockudo.websocket.deflate import LONGEST, Deflater
from sockudo.websocket.frames import payload_of, text_frame

TEXT = json.dumps([{"id": i, "name": f"item {i}", "price": i * 1.25} for i in range(40)]).encode()


def inflated(frame: bytes, window_bits: int = 15) -> bytes:
    """Return the payload of a frame, inflated by zlib alone; nothing of an earlier frame is known."""
    if frame[0] == 0x81:
        return payload_of(frame)
    assert frame[0] == 0xC1
    inflater = zlib.decompressobj(-window_bits)
    text = inflater.decompress(payload_of(frame) + b"\0\0\xff\xff")
    assert not inflater.unconsumed_tail
    return text


@pytest.mark.parametrize("window_bits", [9, 15])
def test_7_2_1_a_frame_needs_none_before_it(window_bits: int) -> None:
    deflater = Deflater(window_bits, 0)
    texts = [TEXT, TEXT[::-1], TEXT + b" ", TEXT * 20, b'{"a":"' + b"x" * 5000 + b'"}', TEXT[1:]]
    for text in texts:
        frame = deflater.frame(text_frame(text))
        assert len(frame) < len(text)
        assert inflated(frame, window_bits) == text


def test_websockets_reads_compressed_frames_in_any_order() -> None:
    deflater = Deflater(15, 0)
    frames = {text: deflater.frame(text_frame(text)) for text in (TEXT, TEXT * 3, TEXT[::-1])}
    extension = PerMessageDeflate(True, True, 15, 15)
    for text, frame in [*frames.items(), *reversed(frames.items())]:
        decoded = extension.decode(Frame(Opcode.TEXT, payload_of(frame), rsv1=True))
        assert bytes(decoded.data) == text


@pytest.mark.parametrize(("size", "is_compressed"), [(511, False), (512, True), (LONGEST, True), (LONGEST + 1, False)])
def test_only_payloads_between_two_lengths_are_compressed(size: int, is_compressed: bool) -> None:
    plain = text_frame(b"x" * size)
    frame = Deflater(15, 512).frame(plain)
    assert (frame != plain) is is_compressed
    assert inflated(frame) == b"x" * size


def test_what_does_not_become_shorter_goes_as_it_is() -> None:
    plain = text_frame(os.urandom(600).hex().encode()[:20])
    assert Deflater(15, 0).frame(plain) == plain


def test_a_frame_that_repeats_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    deflater = Deflater(15, 0)
    first = deflater.frame(text_frame(TEXT))
    monkeypatch.setattr(deflater, "_compressor", None)
    assert deflater.frame(text_frame(bytes(TEXT))) is first


def test_what_is_remembered_stays_small() -> None:
    deflater = Deflater(15, 0)
    for number in range(300):
        deflater.frame(text_frame(b"%d" % number + b"x" * 1000 * (number % 40)))
        kept = sum(len(plain) + len(frame) for plain, frame in deflater._remembered.items())
        assert kept == deflater._remembered_bytes <= 1024 * 1024
        assert len(deflater._remembered) <= 64


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(st.text(max_size=400).map(str.encode), max_size=8), st.sampled_from([9, 15]))
def test_any_texts_come_back_as_they_were(texts: list[bytes], window_bits: int) -> None:
    deflater = Deflater(window_bits, 0)
    assert [inflated(deflater.frame(text_frame(text)), window_bits) for text in texts] == texts
