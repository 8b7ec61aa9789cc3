"""The PROXY header: both versions, in any pieces, and what is none."""

from __future__ import annotations

import pytest

from sockudo.server.accepting.proxy_header import MAX_BYTES, ProxyHeader, ProxyHeaderError, begins_header
from tests.clients.doors import SIGNATURE, binary, line

HEADERS = {
    "v1 IPv4": (line("192.0.2.1"), "192.0.2.1"),
    "v1 IPv6": (line("2001:db8::1", "TCP6"), "2001:db8::1"),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", None),
    "v1 unknown with addresses": (b"PROXY UNKNOWN ffff:f::1 ffff:f::2 65535 65535\r\n", None),
    "v2 IPv4": (binary("192.0.2.1"), "192.0.2.1"),
    "v2 IPv6": (binary("2001:db8::1"), "2001:db8::1"),
    "v2 with values": (binary("192.0.2.1", more=b"\xea\x00\x05hello" * 40), "192.0.2.1"),
    "v2 local": (binary("192.0.2.1", command=0x20), None),
    "v2 local without addresses": (SIGNATURE + b"\x20\x00\x00\x00", None),
    "v2 of unknown family": (binary("192.0.2.1", family=0x00), None),
    "v2 of a datagram": (binary("192.0.2.1", family=0x12), None),
    "v2 of the longest": (binary("192.0.2.1", more=bytes(MAX_BYTES - 28)), "192.0.2.1"),
}

WRONG = {
    "TLS": b"\x16\x03\x01",
    "HTTP": b"GET / HTTP/1.1\r\n",
    "almost": b"PROXY\tTCP4",
    "a kind that is none": b"PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n",
    "an IPv6 address as IPv4": line("::1"),
    "an address that is none": line("192.0.2.256"),
    "too few words": b"PROXY TCP4 192.0.2.1 192.0.2.1 1\r\n",
    "too many words": b"PROXY TCP4 192.0.2.1 192.0.2.1 1 1 1\r\n",
    "two blanks": b"PROXY  TCP4 192.0.2.1 192.0.2.1 1 1\r\n",
    "a port that is none": b"PROXY TCP4 192.0.2.1 192.0.2.1 1 65536\r\n",
    "a line end without CR": b"PROXY TCP4 192.0.2.1 192.0.2.1 1 1\n",
    "no line end": b"PROXY UNKNOWN " + b"x" * 100,
    "another version": binary("192.0.2.1", command=0x11),
    "another command": binary("192.0.2.1", command=0x22),
    "too few bytes of addresses": SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11),
    "too long": binary("192.0.2.1", more=bytes(MAX_BYTES - 27)),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_read_whatever_its_pieces(name: str) -> None:
    data, client = HEADERS[name]
    rest = b"\x16rest"
    for cut in range(len(data) + 1):
        header, taken = ProxyHeader(), 0
        for piece in (data[:cut], data[cut:] + rest):
            if piece and not header.is_complete:
                taken += header.take(piece)
        # Nothing of what follows belongs to it.
        assert (header.is_complete, header.client, taken) == (True, client, len(data))


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_read_byte_by_byte(name: str) -> None:
    data, client = HEADERS[name]
    header = ProxyHeader()
    for number, byte in enumerate(data, 1):
        assert header.take(bytes([byte])) == 1
        assert header.is_complete == (number == len(data))
    assert header.client == client


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_header_is_refused(name: str) -> None:
    with pytest.raises(ProxyHeaderError):
        ProxyHeader().take(WRONG[name])


def test_too_few_bytes_do_not_tell_whether_a_header_begins() -> None:
    for data, _ in HEADERS.values():
        size = len(SIGNATURE) if data.startswith(SIGNATURE) else len(b"PROXY ")
        assert [begins_header(data[:cut]) for cut in range(size)] == [None] * size
        assert begins_header(data[:size]) is True
    assert [begins_header(data) for data in (b"PUT", b"PROPFIND", b"\r\nGET", b"\x16")] == [False] * 4
