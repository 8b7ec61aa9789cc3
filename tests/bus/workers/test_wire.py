"""The frames between workers, in every split."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.bus.workers import wire as wire

KINDS = [wire.HELLO, wire.JOIN, wire.LEAVE, wire.SYNC, wire.DONE, wire.MESSAGE]

frames = st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=40), st.binary(max_size=300)), max_size=12)


def encoded(frames: list[wire.Frame]) -> bytes:
    return b"".join(wire.frame(kind, name, data) for kind, name, data in frames)


@given(frames, st.lists(st.integers(0, 4000), max_size=20))
def test_frames_come_out_unchanged_however_they_are_split(frames: list[wire.Frame], cuts: list[int]) -> None:
    raw = encoded(frames)
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    reader = wire.Reader()
    read = [frame for start, end in pairwise(places) for frame in reader.feed(raw[start:end])]
    assert read == frames


@given(frames)
def test_frames_come_out_as_soon_as_they_are_whole(frames: list[wire.Frame]) -> None:
    reader = wire.Reader()
    for frame in frames:
        raw = encoded([frame])
        assert [reader.feed(raw[at : at + 1]) for at in range(len(raw) - 1)] == [[]] * (len(raw) - 1)
        assert reader.feed(raw[-1:]) == [frame]


def test_a_frame_of_megabytes_is_put_together_from_its_reads() -> None:
    data = bytes(range(256)) * 40_000
    raw = wire.frame(wire.MESSAGE, b"t", data) + wire.frame(wire.JOIN, b"u")
    reader = wire.Reader()
    read = [frame for at in range(0, len(raw), 65_536) for frame in reader.feed(raw[at : at + 65_536])]
    assert read == [(wire.MESSAGE, b"t", data), (wire.JOIN, b"u", b"")]


def test_a_head_and_its_data_are_a_frame() -> None:
    assert wire.head(wire.MESSAGE, b"name", 4) + b"data" == wire.frame(wire.MESSAGE, b"name", b"data")


@given(st.binary(min_size=7, max_size=200))
def test_any_bytes_are_frames_or_an_error(raw: bytes) -> None:
    try:
        read = wire.Reader().feed(raw)
    except wire.WireError:
        return
    assert raw.startswith(encoded(read))


@pytest.mark.parametrize(
    "raw",
    [
        b"\x03\x00\x00\x00\x07\x00\x00",
        b"\x03\x00\x00\x00\x00\x00\x00",
        b"\x02\x00\x00\x00\x01\x00\x00",
        b"\x03\x00\x00\x00\x01\x01\x00",
        b"\x03\x00\x00\x00\x06\x01\x00",
        b"\xff\xff\xff\xff\x06\x00\x00",
    ],
    ids=["kind", "no kind", "too short", "name beyond the end", "name of a message", "too long"],
)
def test_what_cannot_be_a_frame_is_refused(raw: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.Reader().feed(raw)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_numbers_come_out_as_they_went_in(index: int, number: int) -> None:
    read = wire.Reader().feed(wire.hello(index) + wire.numbered(wire.SYNC, number))
    assert [kind for kind, _, _ in read] == [wire.HELLO, wire.SYNC]
    assert (wire.index_of(read[0][2]), wire.number_of(read[1][2])) == (index, number)


def test_another_version_is_named() -> None:
    with pytest.raises(wire.WireError, match="another version \\(9, not 1\\)"):
        wire.index_of(b"\x09whatever it has")
    with pytest.raises(wire.WireError, match="another version \\(none, not 1\\)"):
        wire.index_of(b"")


def test_a_number_of_a_wrong_size_is_refused() -> None:
    with pytest.raises(wire.WireError):
        wire.number_of(b"1234")
