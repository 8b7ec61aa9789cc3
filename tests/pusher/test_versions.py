from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.pusher.errors import CloseConnection
from sockudo.pusher.versions import parse_version
from tests.support.properties import QUICK, refusal_by


@pytest.mark.parametrize(("text", "version"), [(None, 7), ("4", 4), ("5", 5), ("6", 6), ("7", 7), ("07", 7)])
def test_versions_4_to_7_and_none_at_all_are_spoken(text: str | None, version: int) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["0", "1", "3", "8", "10", "255", "9" * 10_000])
def test_other_numbers_are_refused_with_4007(text: str) -> None:
    with pytest.raises(CloseConnection, match="Unsupported protocol version") as refused:
        parse_version(text)
    assert refused.value.code == 4007


@pytest.mark.parametrize("text", ["", "seven", "7.0", "-7", "+7", " 7", "7 ", "٧", "²", "0x7"])
def test_what_is_not_a_number_is_refused_with_4006(text: str) -> None:
    with pytest.raises(CloseConnection, match="Invalid version string format") as refused:
        parse_version(text)
    assert refused.value.code == 4006


@QUICK
@given(st.text(max_size=12) | st.integers().map(str))
def test_any_text_is_a_version_or_one_of_two_refusals(text: str) -> None:
    refused = refusal_by(CloseConnection, lambda: parse_version(text))
    assert refused.code in (4006, 4007) if refused else 4 <= parse_version(text) <= 7
