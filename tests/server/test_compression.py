from __future__ import annotations

import os

import pytest

from sockudo.hub.broadcast import Broadcast
from sockudo.server.compression import Compression
from sockudo.websocket.frames import text_frame
from sockudo.websocket.handshake import HandshakeError
from tests.fakes.clock import FakeClock

BROWSER = b"permessage-deflate; client_max_window_bits"
LONG = Broadcast(text_frame(b"x" * 1000))


def test_all_who_agree_on_the_same_share_one_encoding() -> None:
    compression = Compression(512, FakeClock())
    agreed = [compression.agree(offer) for offer in (BROWSER, b"permessage-deflate", BROWSER)]
    encodings = [one.encoding for one in agreed if one is not None]
    assert len(encodings) == 3
    assert len(set(map(id, encodings))) == 1
    assert len(LONG.frame(encodings[0])) < 100


def test_every_small_window_shares_one_encoding() -> None:
    compression = Compression(512, FakeClock())
    agreed = [compression.agree(b"permessage-deflate; server_max_window_bits=%d" % bits) for bits in range(9, 16)]
    assert len({id(one.encoding) for one in agreed if one is not None}) == 2


def test_several_lines_of_the_header_are_one_list() -> None:
    headers = [(b"Host", b"x"), (b"Sec-WebSocket-Extensions", b"mux"), (b"SEC-WEBSOCKET-EXTENSIONS", BROWSER)]
    assert Compression(512, FakeClock()).agree_on_head(headers) is not None
    assert Compression(512, FakeClock()).agree_on_head(headers[:2]) is None
    assert Compression(512, FakeClock()).agree_on_head(headers[:1]) is None


def test_the_answer_is_the_last_line_of_the_response() -> None:
    agreed = Compression(512, FakeClock()).agree(BROWSER)
    assert agreed is not None
    assert agreed.in_response(b"HTTP/1.1 101 X\r\nA: b\r\n\r\n") == (
        b"HTTP/1.1 101 X\r\nA: b\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
        b"client_no_context_takeover\r\n\r\n"
    )


def test_a_malformed_header_is_refused_each_time() -> None:
    compression = Compression(512, FakeClock())
    for _ in range(2):
        with pytest.raises(HandshakeError):
            compression.agree(b"permessage-deflate;")


def test_many_offers_fill_no_table() -> None:
    compression = Compression(512, FakeClock())
    for number in range(1000):
        compression.agree(b"x%d, permessage-deflate" % number)
        compression.agree(b"x, " * 200 + b"y%d" % number)
    assert compression.remembered <= 256


def test_one_turn_compresses_a_bounded_number_of_bytes() -> None:
    clock = FakeClock()
    agreed = [Compression(512, clock).agree(offer) for offer in (BROWSER,)]
    assert agreed[0] is not None
    encoding = agreed[0].encoding

    def compressed(count: int) -> int:
        frames = [text_frame(os.urandom(25_000).hex().encode()) for _ in range(count)]
        return sum(len(encoding.encode(Broadcast(frame))) < len(frame) for frame in frames)

    assert compressed(20) == 3
    assert compressed(20) == 0
    clock.run_soon()
    assert compressed(20) == 3
