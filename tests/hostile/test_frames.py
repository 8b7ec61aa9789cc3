"""Violations of RFC 6455 over real sockets: each ends its own connection, with the right code, and nobody else's."""

from __future__ import annotations

import json
import os
import random

import pytest

from tests.clients.attack import Bystander, Target
from tests.clients.client import PusherClient
from tests.clients.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, masked_close, masked_frame
from tests.clients.raw import RawWebSocket


def declared(length: int, opcode: int = TEXT) -> bytes:
    """Return the head of a frame that declares a length in 64 bits, and a few bytes of it."""
    return bytes((0x80 | opcode, 0xFF)) + length.to_bytes(8, "big") + b"key!" + b"x" * 100


VIOLATIONS = {
    "unmasked text": (masked_frame(TEXT, b"{}", key=None), 1002),
    "unmasked close": (masked_frame(CLOSE, b"\x03\xe8", key=None), 1002),
    **{f"reserved bits {rsv}": (masked_frame(TEXT, b"{}", rsv=rsv), 1002) for rsv in range(1, 8)},
    **{f"opcode {op}": (masked_frame(op, b"{}"), 1002) for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "fragmented ping": (masked_frame(PING, b"x", fin=False), 1002),
    "fragmented close": (masked_frame(CLOSE, b"\x03\xe8", fin=False), 1002),
    "long ping": (masked_frame(PING, b"x" * 126), 1002),
    "long close": (masked_frame(CLOSE, b"\x03\xe8" + b"x" * 200), 1002),
    "lone continuation": (masked_frame(CONTINUATION, b"x"), 1002),
    "text inside a message": (masked_frame(TEXT, b"a", fin=False) + masked_frame(TEXT, b"b"), 1002),
    "16-bit length for 5": (masked_frame(TEXT, b"hello", length_bits=16), 1002),
    "64-bit length for 300": (masked_frame(TEXT, b"x" * 300, length_bits=64), 1002),
    "2^62": (declared(1 << 62), 1009),
    "2^62 binary": (declared(1 << 62, BINARY), 1009),
    "2^63": (declared(1 << 63), 1002),
    "2^64 - 1": (declared((1 << 64) - 1), 1002),
    "5 GB": (declared(5 << 30), 1009),
    "just over the limit": (masked_frame(TEXT, b"x" * (64 * 1024 + 1)), 1009),
    "too much in fragments": (
        masked_frame(TEXT, b"x" * 60_000, fin=False) + masked_frame(CONTINUATION, b"x" * 6000, fin=False),
        1009,
    ),
    "bad UTF-8": (masked_frame(TEXT, b"\xc3\x28"), 1007),
    "surrogate": (masked_frame(TEXT, b"\xed\xa0\x80"), 1007),
    "UTF-8 cut off": (masked_frame(TEXT, b"\xe2\x82"), 1007),
    "bad UTF-8 across fragments": (
        masked_frame(TEXT, b"\xe2", fin=False) + masked_frame(CONTINUATION, b"\x28\xa1"),
        1007,
    ),
    **{
        f"close code {code}": (masked_close(code), 1002) for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)
    },
    "close with one byte": (masked_frame(CLOSE, b"\x03"), 1002),
    "close reason not UTF-8": (masked_frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1002),
    "zeros": (b"\0" * 5000, 1002),
}


@pytest.mark.parametrize("name", VIOLATIONS)
async def test_a_violation_ends_its_connection_with_its_code(name: str, target: Target, witness: Bystander) -> None:
    data, code = VIOLATIONS[name]
    async with RawWebSocket(target.port) as offender:
        await offender.open()
        await offender.write(data)
        assert (await offender.expect_close())[0] == code
        await witness.expect_events(2)
        await offender.expect_end()


async def test_bytes_behind_a_violation_are_taken_and_thrown_away(target: Target, witness: Bystander) -> None:
    async with RawWebSocket(target.port) as offender:
        await offender.open()
        for _ in range(50):
            await offender.write(declared(1 << 62) + os.urandom(60_000))
        assert (await offender.expect_close())[0] == 1009


async def test_random_bytes_harm_nobody(target: Target, witness: Bystander) -> None:
    for seed in range(60):
        async with RawWebSocket(target.port) as offender:
            await offender.open()
            await offender.write(random.Random(seed).randbytes(300))


async def test_a_message_in_a_thousand_fragments_is_one_message(target: Target, witness: Bystander) -> None:
    text = json.dumps({"event": "pusher:ping", "data": "x" * 900}).encode()
    frames = [masked_frame(TEXT, text[:1], fin=False)]
    frames += [masked_frame(CONTINUATION, text[i : i + 1], fin=False) for i in range(1, len(text))]
    frames += [masked_frame(PING, b"between"), masked_frame(CONTINUATION, b"")]
    async with RawWebSocket(target.port) as client:
        await client.open()
        await client.write(b"".join(frames))
        assert (await client.frame())[1] == b"between"
        assert (await client.event())["event"] == "pusher:pong"


async def test_empty_fragments_without_end_cost_nothing(target: Target, witness: Bystander) -> None:
    async with RawWebSocket(target.port) as client:
        await client.open()
        await client.write(masked_frame(TEXT, b"", fin=False))
        before = target.rss
        for _ in range(20):
            await client.write(masked_frame(CONTINUATION, b"", fin=False) * 5000)
        await client.write(masked_frame(CONTINUATION, b'{"event":"pusher:ping"}'))
        assert (await client.event())["event"] == "pusher:pong"
        assert target.rss - before < 8 << 20


async def test_the_answer_to_a_bad_message_does_not_repeat_it(target: Target, witness: Bystander) -> None:
    async with PusherClient(target.port) as client:
        await client.send_text("marker" * 5000)
        frame = await client.expect("pusher:error")
        assert "marker" not in json.dumps(frame)
    assert "marker" not in target.log.read_text()
