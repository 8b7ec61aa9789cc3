"""Regular expressions of a configuration: matched in linear time, and refused where that cannot be."""

from __future__ import annotations

import re

import pytest

from sockudo.apps.patterns import Pattern, PatternError


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^orders-[0-9]+$", "orders-1", True),
        ("^orders-[0-9]+$", "orders-x", False),
        ("rder", "orders", True),
        ("(?i)ORDERS", "orders", True),
        ("^[[a]+$", "[a", True),
        ("^(?:a|b)c?$", "bc", True),
        (r"^\w+\.\d{1,3}$", "a.12", True),
        ("", "anything", True),
        ("\u00fc", "a\u00fc", True),
    ],
)
def test_a_pattern_matches_anywhere_in_a_text(pattern: str, text: str, found: bool) -> None:
    assert Pattern(pattern).is_in(text) is found


@pytest.mark.parametrize("pattern", ["^([a-z0-9]+-?)+$", "(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*=", "(a*)*b"])
def test_a_pattern_that_backtracks_elsewhere_ends(pattern: str) -> None:
    assert Pattern(pattern).is_in("a" * 5000 + "!") is False


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(?=a)b", "has a look-ahead or look-behind"),
        ("a(?!b)", "has a look-ahead or look-behind"),
        ("(?<=a)b", "has a look-ahead or look-behind"),
        ("(?<!a)b", "has a look-ahead or look-behind"),
        (r"(a)\1", "has a back-reference"),
        ("(?P<x>a)(?P=x)", "cannot be used"),
        ("(", "cannot be used"),
        ("a*+", "cannot be used"),
        ("(?>a)", "cannot be used"),
        (r"\Z", "cannot be used"),
        ("a{2000}", "cannot be used"),
        ("(a{1000}){1000}", "cannot be used"),
        (r"(\pL{0,100}){0,9}", "is too large"),
        ("a" * 1001, "is longer than 1000 characters"),
        ("\ud800", "is no valid Unicode"),
    ],
)
def test_a_pattern_that_linear_time_does_not_allow_says_why(pattern: str, why: str) -> None:
    with pytest.raises(PatternError, match=re.escape(why)):
        Pattern(pattern)


def test_a_refused_pattern_writes_nothing_by_itself(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PatternError):
        Pattern("(")

    assert capfd.readouterr() == ("", "")
