from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.pusher.surrogates import decode, raw_members, replace_lone_surrogates
from tests.support.properties import THOROUGH, json_values

ANYTHING = msgspec.json.Decoder(object)
# Texts in which halves of pairs, pairs, and what only looks like them stand next to each other.
pieces = st.sampled_from(
    ["\ud83d", "\ude00", "\ud800", "\udfff", "\U0001f600", "\\", "\\\\", "ud83d", '"', "a", "\n", "é", "�"]
)
half_texts = st.lists(pieces, max_size=12).map("".join)


def mended(text: str) -> str:
    """Return a text as UTF-16 has it, with U+FFFD where half a character is."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'"\ud83d"', "�"),
        (rb'"\ude00"', "�"),
        (rb'"\uD83D\uDE00"', "\U0001f600"),
        (rb'"\ud83d\ud83d\ude00"', "�\U0001f600"),
        (rb'"\ude00\ud83d"', "��"),
        (rb'"\\ud83d"', r"\ud83d"),
        (rb'"\\\ud83d"', "\\�"),
        (rb'"\\ud83d\ude00"', r"\ud83d" + "�"),
        (rb'"\ud83d\n\ude00"', "�\n�"),
        (rb'"\ud83dx\u0041"', "�xA"),
    ],
)
def test_half_a_pair_becomes_the_replacement_character(text: bytes, expected: str) -> None:
    assert decode(ANYTHING, text) == expected
    assert decode(ANYTHING, text.decode()) == expected


@pytest.mark.parametrize("text", [b"", b"{", rb'"\ud83', rb'"\u', b'"\\', rb'"\ud83d', rb'{"a":"\ud83d"', b'"\n"'])
def test_text_that_is_no_json_stays_refused(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(ANYTHING, text)


def test_a_value_of_a_wrong_type_is_told_as_such() -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `str`, got `int`"):
        decode(msgspec.json.Decoder(list[str]), rb'["\ud83d",1]')


@THOROUGH
@given(half_texts)
def test_any_halves_are_replaced_and_nothing_else(text: str) -> None:
    assert decode(ANYTHING, json.dumps(text)) == mended(text)


@THOROUGH
@given(st.binary(max_size=60) | st.text("\\ud8cf3\"'n", max_size=60).map(str.encode))
def test_the_length_never_changes(text: bytes) -> None:
    assert len(replace_lone_surrogates(text)) == len(text)


@THOROUGH
@given(st.dictionaries(half_texts, json_values | half_texts, max_size=5), st.sampled_from([None, 1]))
def test_members_are_returned_as_they_came(members: dict[str, object], indent: int | None) -> None:
    text = json.dumps(members, indent=indent)
    assert {name: json.loads(value) for name, value in raw_members(text).items()} == json.loads(text)


def test_of_equal_names_the_last_counts() -> None:
    assert raw_members(rb' { "a" : "\ud83d" , "b":[ 1, {} ],"a": 2.50 } ') == {"a": b"2.50", "b": b"[ 1, {} ]"}
    assert raw_members("{}") == {}
    assert raw_members('{"n":%s}' % ("1" * 5000)) == {"n": b"1" * 5000}
