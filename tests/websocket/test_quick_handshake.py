"""Heads are read by their bytes only where nothing about them is odd."""

from __future__ import annotations

import pytest

from sockudo.websocket.handshake import accept
from sockudo.websocket.quick_handshake import LONGEST, QuickReader, fields_of

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HEAD = (
    b"GET /app/key?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Origin: https://a.example\r\nSec-WebSocket-Key: %b\r\nSec-WebSocket-Version: 13\r\n\r\n" % KEY
)


def test_a_usual_head_is_read_as_elsewhere() -> None:
    handshake = QuickReader().read(HEAD)
    assert handshake is not None
    assert handshake.target == b"/app/key?protocol=7"
    assert handshake.origin == "https://a.example"
    assert handshake.response == accept(b"GET", "1.1", fields_of(handshake.lines))


@pytest.mark.parametrize("at", range(len(HEAD)))
@pytest.mark.parametrize("byte", [0, 9, 10, 13, 127, 128, 255])
def test_no_head_with_an_odd_byte_is_read(at: int, byte: int) -> None:
    odd = HEAD[:at] + bytes((byte,)) + HEAD[at + 1 :]
    assert odd == HEAD or QuickReader().read(odd) is None


@pytest.mark.parametrize("end", range(len(HEAD)))
def test_no_part_of_a_head_is_read(end: int) -> None:
    assert QuickReader().read(HEAD[:end]) is None


def test_the_longest_head_is_read_and_no_longer_one() -> None:
    room = LONGEST - len(HEAD) - len(b"X: \r\n")
    longest = HEAD.replace(b"Host", b"X: " + b"y" * room + b"\r\nHost")
    assert len(longest) == LONGEST
    assert QuickReader().read(longest) is not None
    assert QuickReader().read(longest.replace(b"X: ", b"X: y")) is None


def test_names_are_remembered_up_to_a_bound() -> None:
    reader = QuickReader()
    for number in range(5000):
        assert reader.read(HEAD.replace(b"Host", b"X-%d: 1\r\nHost" % number)) is not None
    assert reader.remembered <= 1024
