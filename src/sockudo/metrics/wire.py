"""Turns what workers tell each other into bytes and back, in steps: with many apps it is several megabytes.

A message is a preamble, which says what follows, pieces of at most some hundred samples, and an end, without which
half a message could pass for a whole one. Preamble and pieces are MessagePack behind a length in four bytes; the end is
a length of zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from itertools import islice
from typing import Final

import msgspec

from sockudo.metrics.books import Known, Ledger
from sockudo.metrics.figures import Figures, Value
from sockudo.timing.slices import Steps

_STEP: Final = 200
_LENGTH_BYTES: Final = 4
_END: Final = bytes(_LENGTH_BYTES)


class _Owner(IntEnum):
    DEPARTED = 0
    LAST = 1
    FAREWELL = 2
    OWN = 3


class _Preamble(msgspec.Struct, array_like=True):
    """Says what the pieces belong to.

    Attributes:
        number: of the ledger, or None where there is none.
        last, farewells: the workers whose figures these are.
    """

    number: int | None
    departed_serials: list[int]
    last: list[int]
    farewells: list[int]
    has_own: bool


class _SamplePiece(msgspec.Struct, array_like=True):
    part: _Owner
    serial: int
    family: str
    samples: dict[str, Value]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_preamble: Final = msgspec.msgpack.Decoder(_Preamble).decode
_decode_piece: Final = msgspec.msgpack.Decoder(_SamplePiece).decode


def encoded(known: Known) -> Steps[list[bytes]]:
    """Encode what a worker tells, in parts that are written one behind the other."""
    ledger = known.ledger or Ledger()
    preamble = _Preamble(
        None if known.ledger is None else ledger.number,
        sorted(ledger.departed_serials),
        list(ledger.last),
        list(known.farewells),
        known.figures is not None,
    )
    message = [_framed(preamble)]
    for part, serial, figures in _parts(known):
        for family, samples in figures.values.items():
            left = iter(samples.items())
            while piece := dict(islice(left, _STEP)):
                message.append(_framed(_SamplePiece(part, serial, family, piece)))
                yield None
    message.append(_END)
    return message


def decoded(data: bytes) -> Steps[Known]:
    """Decode what a worker has told.

    Raises:
        msgspec.MsgspecError: no worker of this version encodes that.
    """
    frames = _frames(data)
    preamble = _decode_preamble(next(frames, b""))
    figures = {(_Owner.LAST, serial): Figures({}) for serial in preamble.last}
    figures |= {(_Owner.FAREWELL, serial): Figures({}) for serial in preamble.farewells}
    figures |= {(_Owner.DEPARTED, 0): Figures({}), (_Owner.OWN, 0): Figures({})}
    for frame in frames:
        piece = _decode_piece(frame)
        into = figures.get((piece.part, piece.serial))
        if into is None:
            raise msgspec.DecodeError(f"worker {piece.serial} is not in the preamble of its message")
        into.values.setdefault(piece.family, {}).update(piece.samples)
        yield None
    ledger = None
    if preamble.number is not None:
        last = {serial: figures[_Owner.LAST, serial] for serial in preamble.last}
        ledger = Ledger(preamble.number, figures[_Owner.DEPARTED, 0], set(preamble.departed_serials), last)
    farewells = {serial: figures[_Owner.FAREWELL, serial] for serial in preamble.farewells}
    return Known(ledger, farewells, figures[_Owner.OWN, 0] if preamble.has_own else None)


def _parts(known: Known) -> Iterator[tuple[_Owner, int, Figures]]:
    if known.ledger is not None:
        yield _Owner.DEPARTED, 0, known.ledger.departed
        for serial, figures in known.ledger.last.items():
            yield _Owner.LAST, serial, figures
    for serial, figures in known.farewells.items():
        yield _Owner.FAREWELL, serial, figures
    if known.figures is not None:
        yield _Owner.OWN, 0, known.figures


def _framed(message: msgspec.Struct) -> bytes:
    data = _encode(message)
    return len(data).to_bytes(_LENGTH_BYTES, "big") + data


def _frames(data: bytes) -> Iterator[memoryview]:
    view, start = memoryview(data), 0
    while True:
        begin = start + _LENGTH_BYTES
        length, start = int.from_bytes(view[start:begin], "big"), begin
        if begin > len(view) or begin + length > len(view):
            raise msgspec.DecodeError("the message ends too early")
        if not length:
            return
        start += length
        yield view[begin:start]
