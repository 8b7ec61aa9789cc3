"""Heads are read by their bytes only where nothing about them is odd."""

from __future__ import annotations

import pytest

from sockudo.websocket.handshake import accept, accepted
from sockudo.websocket.quick_handshake import LONGEST, QuickReader, fields_of, target_of

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HEAD = (
    b"GET /app/key?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Origin: https://a.example\r\nSec-WebSocket-Key: %b\r\nSec-WebSocket-Version: 13\r\n\r\n" % KEY
)


def _target(reader: QuickReader, data: bytes) -> bytes | None:
    """Return the target of a head that is read."""
    handshake = reader.read(data)
    return None if handshake is None else target_of(handshake[0][0])


def test_a_usual_head_is_read_as_elsewhere() -> None:
    handshake = QuickReader().read(HEAD)
    assert handshake is not None
    lines, key, origin = handshake
    assert target_of(lines[0]) == b"/app/key?protocol=7"
    assert origin == "https://a.example"
    assert accepted(key) == accept(b"GET", "1.1", fields_of(lines))


@pytest.mark.parametrize("at", range(len(HEAD)))
@pytest.mark.parametrize("byte", [0, 9, 10, 13, 127, 128, 255])
def test_no_head_with_an_odd_byte_is_read(at: int, byte: int) -> None:
    odd = HEAD[:at] + bytes((byte,)) + HEAD[at + 1 :]
    assert odd == HEAD or _target(QuickReader(), odd) is None


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
        assert reader.read(HEAD.replace(b"Host: x", b"X-%d: 1\r\nHost: %d" % (number, number))) is not None
    assert reader.remembered <= 2 * 1024


def test_long_lines_and_those_of_other_headers_are_not_remembered() -> None:
    reader = QuickReader()
    reader.read(HEAD)
    before = reader.remembered
    for number in range(100):
        data = HEAD.replace(b"Host", b"User-Agent: %b%d\r\nX-Forwarded-For: %d\r\nHost" % (b"x" * 600, number, number))
        assert reader.read(data) is not None
    # The two names.
    assert reader.remembered == before + 2


@pytest.mark.parametrize("at", range(len(HEAD)))
def test_a_remembered_head_is_judged_as_a_new_one(at: int) -> None:
    reader = QuickReader()
    assert reader.read(HEAD) is not None
    for byte in b" \t\r\n:;=Aa0/\x00\xe4":
        changed = HEAD[:at] + bytes((byte,)) + HEAD[at + 1 :]
        assert reader.read(changed) == QuickReader().read(changed)
    for changed in (HEAD[:at] + HEAD[at + 1 :], HEAD[:at] + HEAD[at : at + 1] + HEAD[at:]):
        assert reader.read(changed) == QuickReader().read(changed)


def test_a_remembered_line_twice_is_odd() -> None:
    reader = QuickReader()
    assert reader.read(HEAD) is not None
    for line in HEAD.split(b"\r\n")[1:-2]:
        assert reader.read(HEAD.replace(line, line + b"\r\n" + line)) is None
        # Any header but the origin must be there.
        assert (reader.read(HEAD.replace(line + b"\r\n", b"")) is None) is (not line.startswith(b"Origin"))
