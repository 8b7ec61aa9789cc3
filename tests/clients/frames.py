"""The client's side of a WebSocket wire, for tests that speak in bytes: masked frames out, the server's frames in.

Written from the RFC alone and as plainly as possible, so that it can judge the code under test: it shares nothing with
`sockudo.websocket`, not even the opcodes.
"""

from __future__ import annotations

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

# The masking key of the examples in section 5.7.
KEY = b"\x37\xfa\x21\x3d"
NO_KEY = b"\0\0\0\0"


def masked_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    key: bytes | None = KEY,
    fin: bool = True,
    rsv: int = 0,
    length_bits: int | None = None,
) -> bytes:
    """Return a client's frame.

    What a client must not do is possible: `key=None` leaves the frame unmasked, `rsv` (0 to 7) sets the reserved bits,
    `length_bits` (7, 16 or 64) forces the width of the length instead of the shortest.
    """
    first = fin << 7 | rsv << 4 | opcode
    masked = 0 if key is None else 0x80
    bits = length_bits or (7 if len(payload) < 126 else 16 if len(payload) < 0x10000 else 64)
    if bits == 7:
        head = bytes((first, masked | len(payload)))
    elif bits == 16:
        head = bytes((first, masked | 126)) + len(payload).to_bytes(2, "big")
    else:
        head = bytes((first, masked | 127)) + len(payload).to_bytes(8, "big")
    if key is None:
        return head + payload
    return head + key + mask(payload, key)


def masked_close(code: int, reason: str = "") -> bytes:
    """Return a client's close frame."""
    return masked_frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


def mask(payload: bytes, key: bytes) -> bytes:
    """Apply the masking key, octet by octet as 5.3 puts it."""
    return bytes(octet ^ key[i % 4] for i, octet in enumerate(payload))


def read_server_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the (opcode, payload) of every whole frame in `data`, and the bytes after the last of them.

    A frame that a server of ours must not send (masked, fragmented, with a reserved bit or a length that could be
    shorter) is an AssertionError.
    """
    frames: list[tuple[int, bytes]] = []
    while len(data) >= 2:
        first, length = data[0], data[1]
        assert first & 0xF0 == 0x80, f"FIN and no reserved bit expected, got {first:#x}"
        assert length < 0x80, "a server must not mask"
        start = 2
        if length >= 126:
            start, least = (4, 126) if length == 126 else (10, 0x10000)
            if len(data) < start:
                break
            length = int.from_bytes(data[2:start], "big")
            assert length >= least, f"a length of {length} takes fewer bytes"
        if len(data) < start + length:
            break
        frames.append((first & 0x0F, data[start : start + length]))
        data = data[start + length :]
    return frames, data
