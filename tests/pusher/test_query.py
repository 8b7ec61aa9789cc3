from __future__ import annotations

from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.pusher.query import parse_query
from tests.support.properties import THOROUGH


def test_parameters_are_split_and_decoded() -> None:
    query = parse_query("a=1&b=x%20y+z&c%5B%5D=%C3%A9")
    assert query.last == {"a": "1", "b": "x y z", "c[]": "é"}
    assert query.repeated == {}


def test_names_are_lower_cased_and_values_are_not() -> None:
    assert parse_query("Name=Something+Else").last == {"name": "Something Else"}


@pytest.mark.parametrize("text", ["", "&", "&&&"])
def test_a_query_without_pairs_has_no_parameters(text: str) -> None:
    assert parse_query(text).last == {}


def test_a_parameter_may_have_no_value() -> None:
    assert parse_query("a=&b&=c").last == {"a": "", "b": "", "": "c"}


def test_only_the_first_equals_sign_separates() -> None:
    assert parse_query("a=b=c%3Dd").last == {"a": "b=c=d"}


def test_a_semicolon_separates_nothing() -> None:
    assert parse_query("a=b;c=d").last == {"a": "b;c=d"}


def test_the_last_of_repeated_names_counts_and_all_are_kept() -> None:
    query = parse_query("a=1&b=2&A=3&a=4")
    assert query.last == {"a": "4", "b": "2"}
    assert query.repeated == {"a": ["1", "3", "4"]}
    assert query.values("a") == ["1", "3", "4"]
    assert query.values("b") == ["2"]
    assert query.values("c") == []


def test_bytes_that_are_not_text_become_replacement_characters() -> None:
    assert parse_query("a=%FF").last == {"a": "\ufffd"}


def expected(text: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    every: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        every.setdefault(name.lower(), []).append(value)
    return (
        {name: values[-1] for name, values in every.items()},
        {name: values for name, values in every.items() if len(values) > 1},
    )


@THOROUGH
@given(st.text("aAbB=&+%2042Fé;[]#", max_size=40) | st.text(max_size=40))
def test_any_text_is_read_as_the_standard_library_reads_it(text: str) -> None:
    query = parse_query(text)
    assert (query.last, query.repeated) == expected(text)


@THOROUGH
@given(st.lists(st.tuples(st.text(min_size=1, max_size=6), st.text(max_size=12)), max_size=6))
def test_what_the_standard_library_encodes_comes_back(pairs: list[tuple[str, str]]) -> None:
    query = parse_query(urlencode(pairs, quote_via=quote_plus))
    assert (query.last, query.repeated) == expected(urlencode(pairs))
    for name, value in pairs:
        assert value in query.values(name.lower())
