"""Single values: what is taken, in which forms, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.migration import conversions
from sockudo.migration.conversions import Conversion
from sockudo.migration.draft import NoEqual


@pytest.mark.parametrize(
    ("convert", "value", "converted"),
    [
        (conversions.text, "a", "a"),
        (conversions.text, 17, "17"),
        (conversions.flag, True, True),
        (conversions.flag, "1", True),
        (conversions.flag, 1, True),
        (conversions.flag, "(true)", True),
        (conversions.flag, "False", False),
        (conversions.flag, 0, False),
        (conversions.flag, "", False),
        (conversions.flag, None, False),
        (conversions.whole, 0, 0),
        (conversions.whole, "12", 12),
        (conversions.whole, 1.2, 2),
        (conversions.positive, "0.5", 1),
        (conversions.seconds, 3000, 3),
        (conversions.seconds, "1500", 2),
        (conversions.seconds, 0, 0),
        (conversions.positive_seconds, 0, 1),
        (conversions.milliseconds, "60", 60_000),
        (conversions.kibibytes, 10_000, 10),
        (conversions.kibibytes, 10_241, 11),
        (conversions.mebibytes, 10_000, 1),
        (conversions.share, 85, 0.85),
        (conversions.share, "100", 1.0),
        (conversions.texts, ["a", 1], ["a", "1"]),
        (conversions.texts, "a", ["a"]),
        (conversions.texts, ' ["a", "b"]', ["a", "b"]),
        (conversions.objects, '[{"a": 1}]', [{"a": 1}]),
        (conversions.objects, None, []),
        (conversions.members, '{"a": 1}', {"a": 1}),
        (conversions.members, "", {}),
    ],
)
def test_a_value_is_converted(convert: Conversion, value: Any, converted: Any) -> None:
    assert convert(value) == converted


@pytest.mark.parametrize(
    ("convert", "value"),
    [
        (conversions.text, True),
        (conversions.text, " "),
        (conversions.text, {}),
        (conversions.text, "\ud800"),
        (conversions.number, 10**400),
        (conversions.number, "1e400"),
        (conversions.flag, "maybe"),
        (conversions.flag, []),
        (conversions.number, True),
        (conversions.number, "ten"),
        (conversions.number, "nan"),
        (conversions.number, float("inf")),
        (conversions.number, None),
        (conversions.whole, -1),
        (conversions.positive, 0),
        (conversions.seconds, "x"),
        (conversions.kibibytes, 0),
        (conversions.share, 101),
        (conversions.texts, [[]]),
        (conversions.texts, "[1"),
        (conversions.objects, [1]),
        (conversions.objects, "{}x"),
        (conversions.members, [1]),
        (conversions.members, "[" * 100_000),
    ],
)
def test_a_value_that_cannot_be_one_is_refused(convert: Conversion, value: Any) -> None:
    with pytest.raises(NoEqual) as caught:
        convert(value)

    assert str(caught.value)
