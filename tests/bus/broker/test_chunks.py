from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sockudo.bus.broker.chunks import ChunkReader
from tests.support.properties import THOROUGH


class Words(ChunkReader):
    """Words with a byte before each that says how long it is."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[bytes] = []
        self.looks = 0

    def parse(self, data: bytes) -> tuple[int, int]:
        self.looks += 1
        position = 0
        while position < len(data):
            end = position + 1 + data[position]
            if end > len(data):
                return position, end
            self.words.append(data[position + 1 : end])
            position = end
        return position, position + 1


def encoded(words: list[bytes]) -> bytes:
    return b"".join(bytes([len(word)]) + word for word in words)


@THOROUGH
@given(words=st.lists(st.binary(max_size=20), max_size=20), cuts=st.lists(st.integers(0, 400), max_size=20))
def test_it_does_not_matter_how_the_bytes_are_cut(words: list[bytes], cuts: list[int]) -> None:
    data, reader = encoded(words), Words()
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(places):
        reader.feed(data[start:end])
    assert reader.words == words


def test_what_cannot_be_whole_is_not_looked_at() -> None:
    reader = Words()
    for byte in encoded([b"x" * 200]):
        reader.feed(bytes([byte]))
    assert reader.words == [b"x" * 200]
    assert reader.looks == 2
