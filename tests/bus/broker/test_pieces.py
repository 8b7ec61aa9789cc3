"""Messages in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.bus.broker import pieces
from sockudo.bus.broker.pieces import Assembler, Splitter


@given(st.binary(min_size=1, max_size=500), st.integers(1, 100))
def test_pieces_are_short_and_make_the_message(data: bytes, size: int) -> None:
    parts = Splitter().split(data, size)
    assembler = Assembler()
    assert all(len(piece) <= size for _, piece in parts)
    found = [assembler.add("t", b"n", label, piece) for label, piece in parts]
    assert found == [None] * (len(parts) - 1) + [data]
    assert assembler.dropped == 0


def test_pieces_of_several_nodes_may_arrive_between_each_other() -> None:
    parts = [Splitter().split(name * 30, 10) for name in (b"a", b"b")]
    assembler = Assembler()
    found = [
        assembler.add("t", b"n%d" % node, label, piece)
        for pair in zip(*parts, strict=True)
        for node, (label, piece) in enumerate(pair)
    ]
    assert [message for message in found if message is not None] == [b"a" * 30, b"b" * 30]


def test_a_message_of_which_a_piece_is_missing_is_dropped() -> None:
    splitter = Splitter()
    first, second = splitter.split(b"x" * 30, 10), splitter.split(b"y" * 30, 10)
    assembler = Assembler()
    assert [assembler.add("t", b"n", *part) for part in (first[0], first[2])] == [None, None]
    assert [assembler.add("t", b"n", *part) for part in second[1:]] == [None, None]
    assert assembler.dropped == 3
    assert [assembler.add("t", b"n", *part) for part in second][-1] == b"y" * 30


@pytest.mark.parametrize("label", [b"", b"a", b"a.b.c", b"a.1", b"a.-1.2", b"a.5.2", b"a.0.1.2"])
def test_a_label_that_is_none_is_dropped(label: bytes) -> None:
    assembler = Assembler()
    assert assembler.add("t", b"n", label, b"x") is None
    assert assembler.dropped == 1


def test_what_never_becomes_whole_makes_room() -> None:
    assembler = Assembler()
    splitter = Splitter()
    for _ in range(100):
        assembler.add("t", b"n", *splitter.split(b"xx", 1)[0])
    assert len(assembler._open) == 64
    assembler.clear()
    assert len(assembler._open) == 0


def test_a_message_longer_than_allowed_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "LONGEST_MESSAGE", 25)
    assembler = Assembler()
    assert [assembler.add("t", b"n", *part) for part in Splitter().split(b"x" * 30, 10)] == [None] * 3
    assert assembler.dropped == 1


def test_pieces_that_wait_take_no_more_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_OPEN_BYTES", 1000)
    assembler = Assembler()
    for number in range(50):
        assembler.add("t", b"n", b"%d.0.3" % number, b"x")
        assembler.add("t", b"n", b"%d.1.3" % number, b"x" * 99)
        assert assembler.bytes <= 1000
    assert assembler.add("t", b"n", b"49.2.3", b"y") == b"x" * 100 + b"y"
    assembler.clear()
    assert assembler.bytes == 0


def test_a_message_whose_later_pieces_are_longer_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "LONGEST_MESSAGE", 100)
    assembler = Assembler()
    assert assembler.add("t", b"n", b"1.0.9", b"x") is None
    assert assembler.add("t", b"n", b"1.1.9", b"x" * 60) is None
    assert assembler.add("t", b"n", b"1.2.9", b"x" * 60) is None
    assert (assembler.dropped, assembler.bytes) == (1, 0)
