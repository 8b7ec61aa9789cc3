"""`.env` files, as Node's library reads them and as Laravel's does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.migration.dotenv import read_laravel, read_node

BOTH = [
    ("A=basic", "basic"),
    ("A=", ""),
    ("A=''", ""),
    ("  A = spaced  ", "spaced"),
    ("export A=exported", "exported"),
    ("A='single quotes'", "single quotes"),
    ("A='  kept  '", "  kept  "),
    ('A="double quotes"', "double quotes"),
    ('A="a\\nb"', "a\nb"),
    ("A=a\\nb", "a\\nb"),
    ("A='a\\nb'", "a\\nb"),
    ("A=equals==", "equals=="),
    ('A={"foo": "bar"}', '{"foo": "bar"}'),
    ('A=\'{"foo": "bar"}\'', '{"foo": "bar"}'),
    ("A=value # a remark", "value"),
    ("A='#kept' # a remark", "#kept"),
    ('A="#kept" # a remark', "#kept"),
    ('A="two\nlines"', "two\nlines"),
    ("A=first\nA=second", "second"),
    ("#A=remark\nA=value", "value"),
    ("B=other\r\nA=value\r\n", "value"),
    ('A="unclosed', '"unclosed'),
]


@pytest.mark.parametrize(("content", "value"), BOTH)
def test_what_both_read_alike(content: str, value: str) -> None:
    assert read_node(content)["A"] == read_laravel(content)["A"] == value


@pytest.mark.parametrize(
    ("content", "node", "laravel"),
    [
        ("A=pass#word", "pass", "pass#word"),
        ("A=`ticks`", "ticks", "`ticks`"),
        ('A="say \\"hello\\""', 'say \\"hello\\"', 'say "hello"'),
        ("B=1\nA=${B}2", "${B}2", "12"),
        ('B=1\nA="${B}2"', "${B}2", "12"),
        ("B=1\nA='${B}2'", "${B}2", "${B}2"),
        ('B=1\nA="\\${B}2"', "\\${B}2", "${B}2"),
        ("A=${C}2", "${C}2", "${C}2"),
    ],
)
def test_what_each_reads_in_its_own_way(content: str, node: str, laravel: str) -> None:
    assert (read_node(content)["A"], read_laravel(content)["A"]) == (node, laravel)


@pytest.mark.parametrize("content", ["", "\n\n", "# only a remark", "no assignment", "=value", "1A=value"])
def test_what_is_no_variable_is_not_read(content: str) -> None:
    assert read_node(content) == read_laravel(content) == {}


@given(st.text())
def test_any_text_can_be_read(content: str) -> None:
    read_node(content)
    read_laravel(content)


@given(st.text(st.characters(codec="utf-8", exclude_characters="'")))
def test_a_value_in_single_quotes_is_kept_as_it_is(value: str) -> None:
    assert read_node(f"A='{value}'\n") == read_laravel(f"A='{value}'\n") == {"A": value}
