r"""Decodes JSON that holds half a surrogate pair: an escape such as `\ud83d` without its other half.

JavaScript cuts texts between the two halves of an emoji and writes the rest as such an escape. RFC 8259, section 8.2,
permits it; the decoder refuses it, and UTF-8 cannot carry it. Where a text must be decoded, U+FFFD takes its place.
"""

from __future__ import annotations

import json
import re
from typing import Final, TypeVar

import msgspec

_T = TypeVar("_T")

_REPLACEMENT: Final = rb"\ufffd"
_HALF: Final = rb"u[dD][89a-fA-F][0-9a-fA-F]{2}"
_PAIR: Final = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
# A run of anything else, which is the group, or half a pair. The quantifiers are possessive: nothing is read twice.
_RUNS: Final = re.compile(rb"((?:[^\\]++|%b|\\(?!%b).?)++)|\\%b" % (_PAIR, _HALF, _HALF), re.DOTALL)

_BLANKS: Final = re.compile(r"[ \t\n\r]*")
# Numbers stay texts: Python limits the digits of those that it converts.
_value: Final = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode


def replace_lone_surrogates(text: bytes) -> bytes:
    """Return JSON `text` with U+FFFD in place of each half of a surrogate pair; its length stays the same."""
    if b"\\u" not in text:
        return text
    return b"".join([run or _REPLACEMENT for run in _RUNS.findall(text)])


def decode(decoder: msgspec.json.Decoder[_T], text: bytes | str) -> _T:
    """Decode JSON; half a surrogate pair becomes U+FFFD, in values that the decoder keeps raw too.

    Raises:
        msgspec.MsgspecError: it is not JSON, or not of the decoder's type.
        RecursionError: it is nested too deeply.
    """
    try:
        return decoder.decode(text)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        raw = text.encode() if isinstance(text, str) else text
        mended = replace_lone_surrogates(raw)
        if mended == raw:
            raise
        return decoder.decode(mended)


def raw_members(text: bytes | str) -> dict[str, bytes]:
    """Return the members of an object, each value as it came; `text` must be an object that `decode` accepts.

    Raises:
        RecursionError: it is nested too deeply.
    """
    source = text if isinstance(text, str) else text.decode()
    members: dict[str, bytes] = {}
    at = _past_blanks(source, source.index("{") + 1)
    while source[at] != "}":
        name, end = _value(source, at)
        start = _past_blanks(source, _past_blanks(source, end) + 1)
        _, end = _value(source, start)
        members[name] = source[start:end].encode()
        at = _past_blanks(source, end)
        if source[at] == ",":
            at = _past_blanks(source, at + 1)
    return members


def _past_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()
