from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.pusher.members import (
    Identity,
    InvalidIdentity,
    is_json_object,
    parse_channel_data,
    parse_user_data,
    with_text_id,
)
from tests.support.properties import QUICK, THOROUGH, json_values, texts


def test_a_member_has_an_id_and_info() -> None:
    assert parse_channel_data('{"user_id":"7","user_info":{"name": "A"}}') == Identity("7", b'{"name": "A"}')


@pytest.mark.parametrize("text", ['{"user_id":"7"}', '{"user_id":"7","user_info":null}'])
def test_a_member_without_user_info_has_an_empty_object(text: str) -> None:
    assert parse_channel_data(text) == Identity("7", b"{}")


@pytest.mark.parametrize(
    ("number", "user_id"),
    [
        ("10", "10"),
        ("-5", "-5"),
        ("0", "0"),
        # Above 2 to the 53, where JavaScript loses digits, and above 64 bits.
        ("9007199254740993", "9007199254740993"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1.5", "1.5"),
        # JavaScript has one kind of number, and its text of this one is "10".
        ("10.0", "10"),
        ("1e3", "1000"),
        ("-0.0", "0"),
        ("1e-7", "0.0000001"),
        ("1e23", "100000000000000000000000"),
        ("100", "100"),
        ("100.0", "100"),
    ],
)
def test_a_number_as_user_id_is_its_decimal_text(number: str, user_id: str) -> None:
    assert parse_channel_data(f'{{"user_id":{number}}}').user_id == user_id
    user = parse_user_data(f'{{"id":{number},"watchlist":[{number},"{number}"]}}')
    assert (user.user_id, user.watchlist) == (user_id, (user_id, number))


@pytest.mark.parametrize(
    ("user_data", "told"),
    [
        ('{"id": "7" , "a":1.50}', '{"id": "7" , "a":1.50}'),
        ('{"a": [ 1.50 ], "id": 7.0}', '{"a":[ 1.50 ],"id":"7"}'),
        (r'{"id":7,"\ud83d":"\ude00"}', r'{"id":"7","\ud83d":"\ude00"}'),
        ('{"id":1,"id":2,"é":"é"}', r'{"id":"2","\u00e9":"é"}'),
    ],
)
def test_a_client_is_told_a_numeric_id_as_text(user_data: str, told: str) -> None:
    assert with_text_id(user_data) == told


@pytest.mark.parametrize("text", ["{}", '{"a":1} ', '{"a":{"b":[]}}', r'{"\ud83d":"\ude00"}'])
def test_an_object_is_told_from_other_text(text: str) -> None:
    assert is_json_object(text)
    for other in (f" {text}", f"[{text}]", f"{text}x", text[:-2], json.dumps(text), "", "1", "null", "{" * 100_000):
        assert not is_json_object(other)


@QUICK
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_the_text_of_a_number_is_written_without_an_exponent(number: float) -> None:
    text = parse_channel_data(json.dumps({"user_id": number})).user_id if abs(number) > 1e-100 else "0"
    assert "e" not in text
    assert float(text) == (number if abs(number) > 1e-100 else 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid channel_data JSON"),
        ("{", "Invalid channel_data JSON"),
        ("[]", "Invalid channel_data JSON"),
        ('{"user_id":true}', "Invalid channel_data JSON"),
        ('{"user_id":{}}', "Invalid channel_data JSON"),
        ('{"user_id":1e400}', "Invalid channel_data JSON"),
        ('{"user_id":"1","user_info":', "Invalid channel_data JSON"),
        ("{}", "Missing user_id in channel_data"),
        ('{"user_id":null}', "Missing user_id in channel_data"),
        ('{"user_id":""}', "'user_id' is empty"),
        ('{"user_id":"%s"}' % ("x" * 201), "'user_id' has 201 characters, the limit is 200"),
        ('{"user_id":"1","user_info":' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_channel_data_that_identifies_nobody_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidIdentity, match=message):
        parse_channel_data(text)


def test_a_user_has_an_id_and_optional_info_and_watchlist() -> None:
    user = parse_user_data('{"id":"7","user_info":{"name":"A"},"watchlist":["8","9"]}')
    assert user == Identity("7", b'{"name":"A"}', ("8", "9"))
    assert parse_user_data('{"id":"7"}') == Identity("7", b"{}", ())
    assert parse_user_data('{"id":"7","user_info":null,"watchlist":null}') == Identity("7", b"{}", ())


def test_an_id_may_be_as_long_as_the_limit() -> None:
    assert parse_user_data('{"id":"%s"}' % ("é" * 200)).user_id == "é" * 200
    assert parse_channel_data('{"user_id":"%s"}' % ("x" * 200)).user_id == "x" * 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid user_data JSON"),
        ("[]", "Invalid user_data JSON"),
        ('{"id":true}', "Invalid user_data JSON: Expected .*, got `bool` - at `.*id`"),
        ('{"id":[7]}', "Invalid user_data JSON"),
        ('{"id":1e400}', "Invalid user_data JSON"),
        ('{"id":' + "7" * 5000 + "}", "Invalid user_data JSON"),
        ('{"id":' + "7" * 201 + "}", "'id' has 201 characters, the limit is 200"),
        ('{"id":1e300}', "'id' has 301 characters, the limit is 200"),
        ('{"id":"7","watchlist":[true]}', "Invalid user_data JSON"),
        ('{"id":"7","watchlist":"8"}', "Invalid user_data JSON"),
        ("{}", "Missing 'id' field in user_data"),
        ('{"id":null}', "Missing 'id' field in user_data"),
        ('{"id":""}', "'id' is empty"),
        ('{"id":"%s"}' % ("x" * 201), "'id' has 201 characters, the limit is 200"),
        ('{"id":"1","user_info":' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_user_data_that_identifies_nobody_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidIdentity, match=message):
        parse_user_data(text)


def test_a_refusal_does_not_repeat_the_input() -> None:
    for parse in (parse_channel_data, parse_user_data):
        with pytest.raises(InvalidIdentity) as refused:
            parse('{"id":["hush"],"user_id":["hush"]}')
        assert "hush" not in str(refused.value)


@QUICK
@given(texts.filter(bool), json_values)
def test_a_member_is_what_was_signed(user_id: str, info: object) -> None:
    member = parse_channel_data(json.dumps({"user_id": user_id, "user_info": info}))
    assert member.user_id == user_id
    assert json.loads(member.user_info) == ({} if info is None else info)


@QUICK
@given(texts.filter(bool), json_values, st.lists(texts, max_size=5))
def test_a_user_is_what_was_signed(user_id: str, info: object, watchlist: list[str]) -> None:
    user = parse_user_data(json.dumps({"id": user_id, "user_info": info, "watchlist": watchlist}))
    assert (user.user_id, user.watchlist) == (user_id, tuple(watchlist))
    assert json.loads(user.user_info) == ({} if info is None else info)


@QUICK
@given(st.integers(-(10**40), 10**40))
def test_any_whole_number_is_taken_digit_for_digit(number: int) -> None:
    assert parse_channel_data(json.dumps({"user_id": number})).user_id == str(number)


@THOROUGH
@given(
    st.text(max_size=60)
    | json_values.map(json.dumps)
    | st.builds(lambda v: json.dumps({"user_id": v, "id": v}), json_values)
)
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    for parse in (parse_channel_data, parse_user_data):
        try:
            member = parse(text)
        except InvalidIdentity:
            continue
        assert 0 < len(member.user_id) <= 200
        json.loads(member.user_info)
