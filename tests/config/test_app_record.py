"""Apps between databases and settings."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.apps.database.record import PROPERTIES
from sockudo.config.app_record import app_from_record, read_changes, record_from_app
from sockudo.config.sections.app import AppSettings
from sockudo.errors import ConfigError

IDENTITY = {"id": "a", "key": "k", "secret": "s"}
FULL: dict[str, Any] = IDENTITY | {
    "enabled": False,
    "max_connections": 1,
    "max_presence_members_per_channel": 2,
    "enable_user_authentication": True,
    "allowed_origins": ["a.example"],
    "webhooks": [
        {"url": "https://a.example/x", "event_types": ["channel_occupied"], "headers": {"X": "1"}},
        {"lambda": {"function_name": "f", "region": "eu-west-1"}, "event_types": ["member_added"],
         "filter": {"channel_prefix": "private-"}},
    ],
}  # fmt: skip


def test_what_is_null_has_its_default() -> None:
    nothing: dict[str, Any] = {one.name: None for one in PROPERTIES}
    assert app_from_record(nothing | IDENTITY) == AppSettings(id="a", key="k", secret="s")


def test_numbers_may_be_text() -> None:
    assert app_from_record(IDENTITY | {"max_connections": "7"}).max_connections == 7


def test_an_app_becomes_a_record_and_comes_back_complete() -> None:
    app = AppSettings.model_validate(FULL)
    record = record_from_app(app)
    assert set(record) == {one.name for one in PROPERTIES}
    assert record["webhooks"][0] == FULL["webhooks"][0]
    assert record["webhooks"][1]["lambda"] == {"function_name": "f", "region": "eu-west-1", "invocation_type": "Event"}
    assert record["webhooks"][1]["filter"] == {"channel_prefix": "private-"}
    assert app_from_record(record) == app
    assert record_from_app(app_from_record(record)) == record


def test_empty_lists_are_null() -> None:
    record = record_from_app(AppSettings(id="a", key="k", secret="s"))
    assert (record["webhooks"], record["allowed_origins"]) == (None, None)


def test_every_problem_is_told_and_no_secret() -> None:
    with pytest.raises(ConfigError) as error:
        app_from_record({"id": "a", "secret": 5, "max_connections": "x", "webhooks": "HIDDEN", "allowed_origins": [1]})
    assert error.value.problems == [
        "key: is required",
        "secret: expected a non-empty string, got a number",
        'max_connections: expected an integer between 0 and 4294967295, got "x"',
        "webhooks: expected a list, got a string",
        'allowed_origins[0]: expected an origin, a host, "*" or a pattern such as "*.example.com", got 1',
    ]
    assert "HIDDEN" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("key", "k=1", "k=1"),
        ("enabled", "on", True),
        ("enabled", "0", False),
        ("max_connections", "5", "5"),
        ("max_connections", "", None),
        ("webhooks", "null", None),
        ("webhooks", ' [{"url": "x"}]', [{"url": "x"}]),
        ("allowed_origins", "a, b,", ["a", "b"]),
        ("allowed_origins", '["a"]', ["a"]),
        ("secret", "[x", "[x"),
    ],
)
def test_properties_are_read_from_text(name: str, text: str, value: object) -> None:
    assert read_changes([(name, text)]) == {name: value}


def test_what_is_no_property_or_no_json_is_told() -> None:
    with pytest.raises(ConfigError) as error:
        read_changes([("colour", "red"), ("webhooks", "[" * 100_000), ("enabled", "yes")])
    first, second = error.value.problems
    assert first.startswith("colour: an app has no such property; use one of id, key, secret")
    assert second == "webhooks: expected JSON"


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"allowed_origins": ["wss://a.io"]}, "allowed_origins[0]: expected an origin"),
        ({"webhooks": [{"url": "http://x/", "headers": {"X": "a\x01HIDDEN"}}]}, "webhooks[0].headers.X: expected"),
        ({"webhooks": [{"url": "http://x/", "filter": {"channel_pattern": "(?=a)"}}]}, "it has a look-ahead"),
        ({"webhooks": [{"url": "http://x/", "channel_prefix": "a"}]}, "belongs into filter"),
        ({"webhooks": [{"url": "http://x/", "enabled": False}]}, "webhooks[0].enabled: is unknown"),
    ],
)
def test_a_row_that_restricts_in_vain_makes_no_app(properties: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        app_from_record(IDENTITY | properties)
    assert any(problem in one for one in error.value.problems)
    assert "HIDDEN" not in str(error.value)


def test_origins_of_a_row_are_kept_in_the_browsers_form() -> None:
    assert app_from_record(IDENTITY | {"allowed_origins": ["HTTPS://A.io:443/"]}).allowed_origins == ("https://a.io",)
