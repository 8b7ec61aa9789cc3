"""What columns may have in them, and which names no app has."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from math import inf
from typing import get_args

import pytest

from sockudo.apps.database.record import PROPERTIES, PropertyKind, is_possible_name, json_text, read_record
from sockudo.config.sections.app import AppSettings


def test_the_properties_are_those_that_settings_have() -> None:
    assert {one.name for one in PROPERTIES} == set(AppSettings.model_fields)
    assert {one.name for one in PROPERTIES if one.kind is PropertyKind.FLAG} == {
        name for name, field in AppSettings.model_fields.items() if field.annotation is bool
    }
    counts = {
        name
        for name, field in AppSettings.model_fields.items()
        if int in (field.annotation, *get_args(field.annotation))
    }
    assert {one.name for one in PROPERTIES if one.kind is PropertyKind.COUNT} == counts


def test_missing_columns_are_null_and_unknown_ones_are_left_out() -> None:
    record = read_record({"id": "app", "created_at": "yesterday"})
    assert record == {one.name: None for one in PROPERTIES} | {"id": "app"}


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (1, True), (0, False), ("1", True), ("0", False), ("TRUE", True), ("false", False), (b"1", True),
        (True, True), (None, None), ("perhaps", "perhaps"), (2, 2), (b"\x01", True), (b"\x00", False),
        (Decimal(1), True),
    ],
)  # fmt: skip
def test_flags_may_be_numbers_and_text(stored: object, read: object) -> None:
    assert read_record({"enabled": stored})["enabled"] is read or stored in ("perhaps", 2)
    assert read_record({"enabled": stored})["enabled"] == read


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (7, 7), ("7", 7), (b"7", 7), (None, None), (-1, 0), ("-1", 0), (-7.0, 0), (Decimal(-1), 0),
        ("7.5", "7.5"), (7.0, 7), (7.5, 7.5),
        (Decimal(7), 7), (Decimal("7E3"), 7000), (Decimal("7.5"), "7.5"), (inf, inf),
        (Decimal("Infinity"), "Infinity"), (date(2000, 1, 1), "2000-01-01"),
    ],
)  # fmt: skip
def test_counts_may_be_text_and_decimals(stored: object, read: object) -> None:
    found = read_record({"max_connections": stored})["max_connections"]
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ('["a"]', ["a"]), (b'["a"]', ["a"]), (["a"], ["a"]), ("null", None), ("", None), (" ", None), (None, None),
        ("[]", []), ("nonsense", "nonsense"), ("[" * 100_000, "[" * 100_000), ('"[\\"a\\"]"', ["a"]), ('"null"', None),
        ('"nonsense"', "nonsense"),
    ],
)  # fmt: skip
def test_lists_may_be_text(stored: object, read: object) -> None:
    assert read_record({"allowed_origins": stored})["allowed_origins"] == read


def test_text_stays_text() -> None:
    assert read_record({"id": "1", "key": "true", "secret": b"null"}) | {} == read_record(
        {"id": "1", "key": "true", "secret": "null"}
    )
    assert read_record({"id": "1"})["id"] == "1"


def test_json_text_is_compact_and_readable() -> None:
    assert json_text([{"a": "\N{SNOWMAN}"}, 1]) == '[{"a":"\N{SNOWMAN}"},1]'
    assert json_text(None) is None


def test_names_that_databases_refuse_are_names_of_no_app() -> None:
    for name in ("a", "\N{PILE OF POO}", " ", "x" * 255, "'; --"):
        assert is_possible_name(name), name
    for name in ("", "x" * 256, "a\0", "\ud800"):
        assert not is_possible_name(name), name


def test_a_policy_is_read_where_there_is_one() -> None:
    assert read_record({"policy": '{"limits": {}}'})["policy"] == {"limits": {}}
    assert "policy" not in read_record({"policy": None})
    assert "policy" not in read_record({})
