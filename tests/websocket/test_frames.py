"""Frames against every rule of RFC 6455 that binds a server, in the order of the RFC.

The opening handshake (sections 1.3 and 4) is in `test_handshake.py`, what must hold for any cut of the stream in
`test_splits.py`, the size of things in `test_bounds.py`.
"""

from __future__ import annotations

import pytest

from sockudo.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    FrameError,
    FrameReader,
    close_frame,
    encode_frame,
    parse_close,
    text_frame,
)
from tests.clients.frames import KEY, NO_KEY, masked_close, masked_frame, read_server_frames
from tests.support.readers import is_idle

LIMIT = 1 << 20

# 7.4.1 and the IANA registry for 1000 to 2999; 7.4.2 for the rest.
ALLOWED_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4100, 4999]
FORBIDDEN_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]

# Sequences of RFC 3629 that are not UTF-8.
NOT_UTF8 = {
    "a continuation byte alone": b"\x80",
    "a first byte alone": b"\xc3",
    "a first byte before ASCII": b"\xc3(",
    "an overlong slash in two bytes": b"\xc0\xaf",
    "an overlong slash in three bytes": b"\xe0\x80\xaf",
    "an overlong character in four bytes": b"\xf0\x82\x82\xac",
    "a surrogate": b"\xed\xa0\x80",
    "a pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "a byte that UTF-8 never uses": b"\xff",
    "a five-byte sequence": b"\xf8\x88\x80\x80\x80",
}


def read(*data: bytes, limit: int = LIMIT) -> list[tuple[int, bytes]]:
    """Feed a new reader and return its messages; a violation fails the test."""
    reader = FrameReader(limit)
    messages = [message for piece in data for message in reader.feed(piece)]
    assert reader.error is None
    return messages


def violation(*data: bytes, limit: int = LIMIT) -> int:
    """Feed a new reader what it must refuse without delivering anything, and return the close code."""
    reader = FrameReader(limit)
    messages = [message for piece in data for message in reader.feed(piece)]
    assert messages == []
    assert reader.error is not None
    assert 0 < len(reader.error.reason.encode()) <= 123
    return reader.error.close_code


# 5.1 Overview


def test_5_1_a_masked_frame_is_read() -> None:
    assert read(masked_frame(TEXT, b"Hello")) == [(TEXT, b"Hello")]


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe8" + b"x" * 120])
def test_5_1_an_unmasked_frame_fails_the_connection(opcode: int, payload: bytes) -> None:
    assert violation(masked_frame(opcode, payload, key=None)) == 1002


@pytest.mark.parametrize("size", [0, 1, 6, 121, 122, 124, 125, 126, 127, 128, 131, 132, 200, 65535, 65536])
def test_5_1_an_unmasked_text_frame_fails_at_every_size(size: int) -> None:
    """The sizes around which the short path of the reader decides."""
    assert violation(masked_frame(TEXT, b"x" * size, key=None)) == 1002


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
def test_5_1_a_server_does_not_mask(opcode: int) -> None:
    assert encode_frame(opcode, b"\x03\xe8")[1] & 0x80 == 0


# 5.2 Base framing protocol


@pytest.mark.parametrize("rsv", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
def test_5_2_a_reserved_bit_fails_the_connection(opcode: int, rsv: int) -> None:
    assert violation(masked_frame(opcode, b"\x03\xe8", rsv=rsv)) == 1002


def test_5_2_a_continuations_reserved_bit_fails_the_connection() -> None:
    assert violation(masked_frame(TEXT, b"a", fin=False), masked_frame(CONTINUATION, b"b", rsv=4)) == 1002


@pytest.mark.parametrize("opcode", [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF])
@pytest.mark.parametrize("fin", [True, False])
def test_5_2_a_reserved_opcode_fails_the_connection(opcode: int, fin: bool) -> None:
    assert violation(masked_frame(opcode, b"x", fin=fin)) == 1002


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("key", [KEY, NO_KEY])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 4095, 4096, 4097, 65535, 65536, 65537])
def test_5_2_a_payload_of_any_length_is_read(size: int, key: bytes, opcode: int) -> None:
    """The three widths of the length, and the size at which unmasking changes its method."""
    payload = bytes(65 + i % 26 for i in range(size))
    assert read(masked_frame(opcode, payload, key=key)) == [(opcode, payload)]


@pytest.mark.parametrize(
    ("size", "bits"), [(0, 16), (124, 16), (125, 16), (0, 64), (119, 64), (125, 64), (126, 64), (65535, 64)]
)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_5_2_an_overlong_length_fails_the_connection(opcode: int, size: int, bits: int) -> None:
    assert violation(masked_frame(opcode, b"x" * size, length_bits=bits)) == 1002


@pytest.mark.parametrize("length", [1 << 63, (1 << 63) + 5, (1 << 64) - 1])
def test_5_2_a_length_with_its_top_bit_set_fails(length: int) -> None:
    head = b"\x82\xff" + length.to_bytes(8, "big") + KEY
    assert violation(head + b"x" * 64) == 1002
    assert violation(head + b"x" * 64, limit=1 << 70) == 1002


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
def test_5_2_our_frames_have_fin_and_no_reserved_bit(opcode: int) -> None:
    assert encode_frame(opcode)[0] == 0x80 | opcode


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "81 00"),
        (1, "81 01"),
        (125, "81 7d"),
        (126, "81 7e 007e"),
        (127, "81 7e 007f"),
        (65535, "81 7e ffff"),
        (65536, "81 7f 0000000000010000"),
        (1 << 20, "81 7f 0000000000100000"),
    ],
)
def test_5_2_a_frame_of_ours_has_the_shortest_length(size: int, head: str) -> None:
    payload = b"x" * size
    assert text_frame(payload) == encode_frame(TEXT, payload) == bytes.fromhex(head) + payload
    assert read_server_frames(text_frame(payload)) == ([(TEXT, payload)], b"")


@pytest.mark.parametrize("opcode", [CONTINUATION, 0x3, 0x7, 0xB, 0xF, 0x10, -1])
def test_5_2_only_a_messages_opcode_can_be_encoded(opcode: int) -> None:
    with pytest.raises(ValueError, match="opcode"):
        encode_frame(opcode)


# 5.3 Client-to-server masking


@pytest.mark.parametrize("key", [KEY, NO_KEY, b"\xff\xff\xff\xff", b"\0\0\0\1", b"\1\0\0\0", b"\x80\0\0\0", b"abcd"])
@pytest.mark.parametrize("size", [*range(10), 120, 125, 126, 300, 5000, 5001, 5002, 5003])
def test_5_3_every_octet_is_unmasked_with_its_key_octet(size: int, key: bytes) -> None:
    payload = bytes(i * 7 % 256 for i in range(size))
    assert read(masked_frame(BINARY, payload, key=key)) == [(BINARY, payload)]


def test_5_3_every_frame_has_a_key_of_its_own() -> None:
    stream = (
        masked_frame(TEXT, b"Hel", key=b"\1\2\3\4", fin=False)
        + masked_frame(CONTINUATION, b"lo ", key=b"\0\0\0\0", fin=False)
        + masked_frame(PING, b"?", key=b"\xaa\xbb\xcc\xdd")
        + masked_frame(CONTINUATION, b"world", key=b"\5\6\7\x08")
    )
    assert read(stream) == [(PING, b"?"), (TEXT, b"Hello world")]


def test_5_3_masking_does_not_change_the_payloads_length() -> None:
    """Octets that become zero stay: the key is the payload itself."""
    assert read(masked_frame(BINARY, b"abcdabcdab", key=b"abcd")) == [(BINARY, b"abcdabcdab")]
    assert read(masked_frame(BINARY, b"\0\0\0\0\0\0")) == [(BINARY, b"\0\0\0\0\0\0")]


# 5.4 Fragmentation


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fragments", [[b"a", b"b"], [b"", b""], [b"", b"a"], [b"a", b""], [b"a", b"", b"b", b"c"]])
def test_5_4_fragments_are_joined_under_the_first_opcode(fragments: list[bytes], opcode: int) -> None:
    last = len(fragments) - 1
    frames = [masked_frame(CONTINUATION if i else opcode, part, fin=i == last) for i, part in enumerate(fragments)]
    assert read(*frames) == read(b"".join(frames)) == [(opcode, b"".join(fragments))]


def test_5_4_fragmented_and_whole_messages_follow_each_other() -> None:
    stream = (
        masked_frame(TEXT, b"1")
        + masked_frame(BINARY, b"2", fin=False)
        + masked_frame(CONTINUATION, b"3")
        + masked_frame(TEXT, b"4", fin=False)
        + masked_frame(CONTINUATION, b"5")
        + masked_frame(BINARY, b"6")
    )
    assert read(stream) == [(TEXT, b"1"), (BINARY, b"23"), (TEXT, b"45"), (BINARY, b"6")]


@pytest.mark.parametrize("opcode", [PING, PONG])
def test_5_4_a_control_frame_between_fragments_is_delivered_immediately(opcode: int) -> None:
    reader = FrameReader(LIMIT)
    assert reader.feed(masked_frame(TEXT, b"Hel", fin=False)) == []
    assert reader.feed(masked_frame(opcode, b"now")) == [(opcode, b"now")]
    assert reader.feed(masked_frame(CONTINUATION, b"lo")) == [(TEXT, b"Hello")]
    assert is_idle(reader)


def test_5_4_a_close_inside_a_fragmented_message_is_delivered() -> None:
    assert read(masked_frame(TEXT, b"Hel", fin=False), masked_close(1000)) == [(CLOSE, b"\x03\xe8")]


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_5_4_control_frames_are_never_fragmented(opcode: int) -> None:
    assert violation(masked_frame(opcode, b"", fin=False)) == 1002
    assert violation(masked_frame(opcode, b"\x03\xe8", fin=False)) == 1002
    assert violation(masked_frame(TEXT, b"a", fin=False), masked_frame(opcode, b"", fin=False)) == 1002


@pytest.mark.parametrize("fin", [True, False])
def test_5_4_a_continuation_without_a_message_fails_the_connection(fin: bool) -> None:
    assert violation(masked_frame(CONTINUATION, b"x", fin=fin)) == 1002


@pytest.mark.parametrize("fin", [True, False])
def test_5_4_a_continuation_after_the_end_fails_the_connection(fin: bool) -> None:
    reader = FrameReader(LIMIT)
    message = masked_frame(TEXT, b"a", fin=False) + masked_frame(CONTINUATION, b"b")
    assert reader.feed(message + masked_frame(CONTINUATION, b"c", fin=fin)) == [(TEXT, b"ab")]
    assert reader.error is not None
    assert reader.error.close_code == 1002


@pytest.mark.parametrize("inner", [TEXT, BINARY])
@pytest.mark.parametrize("outer", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [True, False])
def test_5_4_a_new_message_between_fragments_fails_the_connection(outer: int, inner: int, fin: bool) -> None:
    assert violation(masked_frame(outer, b"a", fin=False), masked_frame(inner, b"b", fin=fin)) == 1002


# 5.5 Control frames


@pytest.mark.parametrize("opcode", [PING, PONG])
@pytest.mark.parametrize("size", [0, 1, 125])
def test_5_5_a_control_frame_up_to_125_bytes_passes(opcode: int, size: int) -> None:
    assert read(masked_frame(opcode, b"x" * size)) == [(opcode, b"x" * size)]


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
@pytest.mark.parametrize("size", [126, 127, 65536])
def test_5_5_a_longer_control_frame_fails_the_connection(opcode: int, size: int) -> None:
    payload = b"\x03\xe8" + b"x" * (size - 2)
    assert violation(masked_frame(opcode, payload)) == 1002


def test_5_5_a_longer_control_frame_fails_after_two_bytes() -> None:
    assert violation(b"\x89\xfe") == 1002


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_5_5_a_longer_control_frame_is_not_encoded(opcode: int) -> None:
    assert len(encode_frame(opcode, b"x" * 125)) == 127
    with pytest.raises(ValueError, match="125"):
        encode_frame(opcode, b"x" * 126)


# 5.5.1 Close


def test_5_5_1_a_close_without_a_body_is_delivered() -> None:
    assert read(masked_frame(CLOSE)) == [(CLOSE, b"")]
    assert parse_close(b"") == (None, "")


def test_5_5_1_a_close_carries_code_and_reason() -> None:
    messages = read(masked_close(4200, "reconnéct"))
    assert messages == [(CLOSE, b"\x10\x68reconn\xc3\xa9ct")]
    assert parse_close(messages[0][1]) == (4200, "reconnéct")


def test_5_5_1_half_a_code_fails_the_connection() -> None:
    assert violation(masked_frame(CLOSE, b"\x03")) == 1002
    with pytest.raises(FrameError) as caught:
        parse_close(b"\x03")
    assert caught.value.close_code == 1002


@pytest.mark.parametrize("what", NOT_UTF8)
def test_5_5_1_a_non_utf8_reason_fails_the_connection(what: str) -> None:
    payload = b"\x03\xe8why " + NOT_UTF8[what]
    assert violation(masked_frame(CLOSE, payload)) == 1007
    with pytest.raises(FrameError) as caught:
        parse_close(payload)
    assert caught.value.close_code == 1007


@pytest.mark.parametrize("after", [masked_frame(TEXT, b"x"), masked_frame(PING), masked_close(1000), b"\xff\xff", b"x"])
def test_5_5_1_nothing_after_a_close_is_looked_at(after: bytes) -> None:
    reader = FrameReader(LIMIT)
    assert reader.feed(masked_close(1000) + after) == [(CLOSE, b"\x03\xe8")]
    assert reader.feed(after) == []
    assert reader.feed(masked_frame(TEXT, b"x")) == []
    assert reader.error is None


def test_5_5_1_messages_before_a_close_come_first() -> None:
    assert read(masked_frame(TEXT, b"last") + masked_close(1001)) == [(TEXT, b"last"), (CLOSE, b"\x03\xe9")]


def test_5_5_1_our_close_may_have_no_body() -> None:
    assert close_frame() == b"\x88\x00"


def test_5_5_1_our_close_has_the_code_first() -> None:
    assert close_frame(1000) == b"\x88\x02\x03\xe8"
    assert close_frame(4100, "Over capacity é") == b"\x88\x12\x10\x04Over capacity \xc3\xa9"


def test_5_5_1_our_close_has_no_reason_without_code() -> None:
    with pytest.raises(ValueError, match="code"):
        close_frame(None, "why")


@pytest.mark.parametrize("character", ["x", "é", "€", "🚀"])
@pytest.mark.parametrize("before", range(5))
def test_5_5_1_our_long_reason_is_cut_between_characters(before: int, character: str) -> None:
    reason = "." * before + character * 130
    [(opcode, payload)], rest = read_server_frames(close_frame(4009, reason))
    code, sent = parse_close(payload)
    assert (opcode, code, rest) == (CLOSE, 4009, b"")
    assert reason.startswith(sent)
    assert 125 - len(character.encode()) < len(payload) <= 125


def test_5_5_1_our_reason_that_fits_is_not_cut() -> None:
    assert close_frame(4009, "€" * 41) == b"\x88\x7d\x0f\xa9" + "€".encode() * 41


def test_5_5_1_our_reason_is_utf8_whatever_the_source() -> None:
    assert close_frame(4009, "bad \ud800") == b"\x88\x07\x0f\xa9bad ?"


# 5.5.2 Ping, 5.5.3 Pong


def test_5_5_2_a_pong_can_carry_the_pings_payload() -> None:
    [(_, payload)] = read(masked_frame(PING, b"\x00\xff any bytes \x80"))
    assert encode_frame(PONG, payload) == b"\x8a\x0e\x00\xff any bytes \x80"


def test_5_5_2_pings_come_in_order_without_loss() -> None:
    assert read(masked_frame(PING, b"1") + masked_frame(PING, b"2")) == [(PING, b"1"), (PING, b"2")]


def test_5_5_3_an_unsolicited_pong_is_delivered_normally() -> None:
    assert read(masked_frame(PONG)) == [(PONG, b"")]
    assert read(masked_frame(PONG, b"beat")) == [(PONG, b"beat")]


# 5.6 Data frames


def test_5_6_a_binary_message_may_hold_any_bytes() -> None:
    every_byte = bytes(range(256))
    assert read(masked_frame(BINARY, every_byte)) == [(BINARY, every_byte)]
    assert read(masked_frame(BINARY, b"\xc3", fin=False), masked_frame(CONTINUATION, b"(")) == [(BINARY, b"\xc3(")]


def test_5_6_binary_may_hold_any_bytes_after_text_fragments() -> None:
    reader = FrameReader(LIMIT)
    stream = (
        masked_frame(TEXT, b"a", fin=False) + masked_frame(CONTINUATION, b"b") + masked_frame(BINARY, b"", fin=False)
    )
    assert reader.feed(stream) == [(TEXT, b"ab")]
    assert reader.feed(masked_frame(CONTINUATION, b"\xff")) == [(BINARY, b"\xff")]


def test_5_6_a_text_message_may_hold_any_character() -> None:
    text = "\0 \x7f \x80 é € \ufeff \ufffe \uffff 🚀 \U0010ffff".encode()
    assert read(masked_frame(TEXT, text)) == [(TEXT, text)]


def test_5_6_a_text_fragment_may_end_inside_a_character() -> None:
    text = "é€🚀\U0010ffff".encode()
    for i in range(len(text) + 1):
        for j in range(i, len(text) + 1):
            frames = [
                masked_frame(TEXT, text[:i], fin=False),
                masked_frame(CONTINUATION, text[i:j], fin=False),
                masked_frame(CONTINUATION, text[j:]),
            ]
            assert read(*frames) == [(TEXT, text)]


# 5.7 Examples


def test_5_7_a_single_frame_unmasked_text_message() -> None:
    assert text_frame(b"Hello") == bytes.fromhex("81 05 48 65 6c 6c 6f")


def test_5_7_a_single_frame_masked_text_message() -> None:
    assert read(bytes.fromhex("81 85 37 fa 21 3d 7f 9f 4d 51 58")) == [(TEXT, b"Hello")]


def test_5_7_a_fragmented_text_message() -> None:
    """The RFC shows it unmasked; a client must mask it."""
    first, second = bytes.fromhex("01 83 37 fa 21 3d 7f 9f 4d"), bytes.fromhex("80 82 37 fa 21 3d 5b 95")
    assert read(first, second) == [(TEXT, b"Hello")]
    assert violation(bytes.fromhex("01 03 48 65 6c"), bytes.fromhex("80 02 6c 6f")) == 1002


def test_5_7_an_unmasked_ping_and_its_masked_pong() -> None:
    assert encode_frame(PING, b"Hello") == bytes.fromhex("89 05 48 65 6c 6c 6f")
    assert read(bytes.fromhex("8a 85 37 fa 21 3d 7f 9f 4d 51 58")) == [(PONG, b"Hello")]


def test_5_7_a_binary_message_of_256_bytes() -> None:
    payload = bytes(range(256))
    assert encode_frame(BINARY, payload) == bytes.fromhex("82 7e 0100") + payload


def test_5_7_a_binary_message_of_64_kib() -> None:
    payload = bytes(range(256)) * 256
    assert encode_frame(BINARY, payload) == bytes.fromhex("82 7f 0000000000010000") + payload


# 7.1.7 Fail the WebSocket connection: "An endpoint MUST NOT continue to attempt to process data"


def test_7_1_7_messages_before_a_violation_are_delivered() -> None:
    reader = FrameReader(LIMIT)
    stream = masked_frame(TEXT, b"good") + masked_frame(PING) + masked_frame(0x3) + masked_frame(TEXT, b"late")
    assert reader.feed(stream) == [(TEXT, b"good"), (PING, b"")]
    assert reader.error is not None
    assert reader.error.close_code == 1002


def test_7_1_7_nothing_after_a_violation_is_looked_at() -> None:
    reader = FrameReader(LIMIT)
    assert reader.feed(masked_frame(TEXT, b"\xff")) == []
    error = reader.error
    assert error is not None
    assert reader.feed(masked_frame(TEXT, b"x")) == []
    assert reader.feed(masked_frame(TEXT, b"x", key=None)) == []
    assert reader.feed(b"") == []
    assert reader.error is error


def test_7_1_7_a_violation_keeps_no_input_alive() -> None:
    """Neither through the traceback of the error nor through an error behind it."""
    reader = FrameReader(LIMIT)
    reader.feed(masked_frame(TEXT, b"\xff" * 1000))
    assert reader.error is not None
    assert reader.error.__traceback__ is None
    assert reader.error.__context__ is None
    assert reader.error.__cause__ is None


# 7.4 Status codes


@pytest.mark.parametrize("code", ALLOWED_CODES)
def test_7_4_a_defined_or_application_code_is_taken(code: int) -> None:
    assert read(masked_close(code, "bye")) == [(CLOSE, code.to_bytes(2, "big") + b"bye")]
    assert parse_close(code.to_bytes(2, "big") + b"bye") == (code, "bye")
    assert close_frame(code, "bye") == encode_frame(CLOSE, code.to_bytes(2, "big") + b"bye")


@pytest.mark.parametrize("code", FORBIDDEN_CODES)
def test_7_4_any_other_code_fails_the_connection(code: int) -> None:
    assert violation(masked_close(code)) == 1002
    assert violation(masked_close(code, "bye")) == 1002
    with pytest.raises(FrameError) as caught:
        parse_close(code.to_bytes(2, "big"))
    assert caught.value.close_code == 1002


@pytest.mark.parametrize("code", [*FORBIDDEN_CODES, -1, 65536])
def test_7_4_any_other_code_is_not_sent(code: int) -> None:
    """7.4.1 of 1005, 1006 and 1015: "MUST NOT be set as a status code in a Close control frame by an endpoint"."""
    with pytest.raises(ValueError, match="not a code"):
        close_frame(code)


# 8.1 Handling of errors in UTF-8-encoded data


@pytest.mark.parametrize("what", NOT_UTF8)
@pytest.mark.parametrize("padding", [b"", b"x" * 60, b"x" * 200, b"x" * 5000, b"x" * 70000])
def test_8_1_text_that_is_not_utf8_fails_the_connection(what: str, padding: bytes) -> None:
    assert violation(masked_frame(TEXT, padding + NOT_UTF8[what])) == 1007
    assert violation(masked_frame(TEXT, padding + NOT_UTF8[what], key=NO_KEY)) == 1007


@pytest.mark.parametrize("what", NOT_UTF8)
def test_8_1_fragmented_text_that_is_not_utf8_fails(what: str) -> None:
    text = b"ab" + NOT_UTF8[what]
    for i in range(len(text) + 1):
        assert violation(masked_frame(TEXT, text[:i], fin=False), masked_frame(CONTINUATION, text[i:])) == 1007


@pytest.mark.parametrize(
    "start", [b"\x80", b"\xff", b"\xc0", b"\xe0\x80", b"\xed\xa0", b"\xf0\x80", b"\xf4\x90", b"\xc3("]
)
def test_8_1_text_fails_with_its_first_impossible_fragment(start: bytes) -> None:
    assert violation(masked_frame(TEXT, start, fin=False)) == 1007
    assert violation(masked_frame(TEXT, b"", fin=False), masked_frame(CONTINUATION, start, fin=False)) == 1007


@pytest.mark.parametrize("first", [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x9a"])
def test_8_1_text_ending_inside_a_character_fails_at_last(first: bytes) -> None:
    reader = FrameReader(LIMIT)
    reader.feed(masked_frame(TEXT, first, fin=False))
    reader.feed(masked_frame(CONTINUATION, b"", fin=False))
    assert reader.error is None
    assert reader.feed(masked_frame(CONTINUATION, b"")) == []
    assert reader.error is not None
    assert reader.error.close_code == 1007


def test_8_1_a_control_frame_may_part_a_character() -> None:
    frames = [
        masked_frame(TEXT, b"\xe2\x82", fin=False),
        masked_frame(PING, b"\xff"),
        masked_frame(CONTINUATION, b"\xac"),
    ]
    assert read(*frames) == [(PING, b"\xff"), (TEXT, "€".encode())]


def test_8_1_a_character_cannot_continue_into_another_message() -> None:
    assert violation(masked_frame(TEXT, b"\xc3") + masked_frame(TEXT, b"\xa9")) == 1007


# 10.4 Implementation-specific limits


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("limit", [0, 1, 125, 126, 127, 65535, 65536, 70000])
def test_10_4_a_message_may_reach_the_limit(limit: int, opcode: int) -> None:
    assert read(masked_frame(opcode, b"x" * limit), limit=limit) == [(opcode, b"x" * limit)]
    assert violation(masked_frame(opcode, b"x" * (limit + 1)), limit=limit) == 1009


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_10_4_an_oversized_message_is_refused_on_its_header(opcode: int) -> None:
    assert violation(masked_frame(opcode, b"x" * 101)[:2], limit=100) == 1009
    assert violation(masked_frame(opcode, b"x" * 200)[:4], limit=199) == 1009
    assert violation(masked_frame(opcode, b"x" * 70000)[:10], limit=69999) == 1009


def test_10_4_the_limit_counts_all_fragments_together() -> None:
    start = masked_frame(TEXT, b"x" * 60, fin=False) + masked_frame(CONTINUATION, b"x" * 30, fin=False)
    assert read(start, masked_frame(CONTINUATION, b"x" * 10), limit=100) == [(TEXT, b"x" * 100)]
    assert violation(start, masked_frame(CONTINUATION, b"x" * 11)[:2], limit=100) == 1009


def test_10_4_the_limit_counts_each_message_alone() -> None:
    reader = FrameReader(100)
    message = masked_frame(TEXT, b"x" * 60, fin=False) + masked_frame(CONTINUATION, b"x" * 40)
    for _ in range(5):
        assert reader.feed(message + masked_frame(TEXT, b"x" * 100)) == [(TEXT, b"x" * 100)] * 2
    assert reader.error is None


def test_10_4_the_limit_does_not_count_control_frames() -> None:
    stream = masked_frame(TEXT, b"xx", fin=False) + masked_frame(PING, b"x" * 125) + masked_frame(CONTINUATION, b"x")
    assert read(stream, limit=3) == [(PING, b"x" * 125), (TEXT, b"xxx")]


# What the reader promises beyond the RFC


@pytest.mark.parametrize("size", range(140))
def test_two_frames_at_once_are_two_messages(size: int) -> None:
    frame = masked_frame(TEXT, b"x" * size)
    assert read(frame + frame) == [(TEXT, b"x" * size)] * 2


def test_no_bytes_are_no_message() -> None:
    reader = FrameReader(LIMIT)
    assert reader.feed(b"") == []
    assert is_idle(reader)


@pytest.mark.parametrize(
    "stream",
    [
        masked_frame(TEXT, b"a"),
        masked_frame(TEXT, b"a", key=NO_KEY),
        masked_frame(BINARY, b"x" * 5000),
        masked_frame(PING, b"a"),
        masked_frame(TEXT, b"a", fin=False) + masked_frame(CONTINUATION, b"b"),
    ],
)
def test_a_payload_is_bytes_and_no_mutable_buffer(stream: bytes) -> None:
    whole = read(stream)
    in_pieces = read(*(stream[i : i + 1] for i in range(len(stream))))
    assert [type(payload) for _, payload in whole + in_pieces] == [bytes, bytes]
