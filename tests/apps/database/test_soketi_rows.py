"""Rows of soketi's tables: limits that are switched off, and webhooks under its names."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.apps.database.record import PROPERTIES, PropertyKind, read_record
from sockudo.apps.database.soketi_rows import WITHOUT_LIMIT
from sockudo.config.app_record import app_from_record
from sockudo.errors import ConfigError

IDENTITY = {"id": "a", "key": "k", "secret": "s"}
HOOK: dict[str, Any] = {"url": "http://h.io", "event_types": ["channel_occupied"]}


def webhook_of(**changes: Any) -> dict[str, Any]:
    (found,) = read_record({"webhooks": [HOOK | changes]})["webhooks"]
    return {name: value for name, value in found.items() if value != HOOK.get(name)}


@pytest.mark.parametrize("value", [-1, "-1", -7])
@pytest.mark.parametrize("name", WITHOUT_LIMIT)
def test_a_negative_limit_of_soketi_is_none(name: str, value: object) -> None:
    app = app_from_record(read_record(IDENTITY | {name: value}))

    assert getattr(app, name) == WITHOUT_LIMIT[name]


@pytest.mark.parametrize(
    "name", [one.name for one in PROPERTIES if one.kind is PropertyKind.COUNT and one.name not in WITHOUT_LIMIT]
)
def test_any_other_negative_limit_makes_no_app(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: expected"):
        app_from_record(read_record(IDENTITY | {name: -1}))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"filter": {"channel_name_starts_with": "a-"}}, {"filter": {"channel_prefix": "a-"}}),
        ({"filter": {"channel_name_ends_with": "-z"}}, {"filter": {"channel_suffix": "-z"}}),
        (
            {"filter": {"channel_name_starts_with": "a-", "channel_type": "private"}},
            {"filter": {"channel_prefix": "a-", "channel_type": "private"}},
        ),
        ({"channel_name_starts_with": "a-"}, {"filter": {"channel_prefix": "a-"}}),
        (
            {"channel_name_ends_with": "-z", "filter": {"channel_name_starts_with": "a-"}},
            {"filter": {"channel_prefix": "a-", "channel_suffix": "-z"}},
        ),
        (
            {"filter": {"channel_name_starts_with": "a-", "channel_prefix": "a-"}},
            {"filter": {"channel_prefix": "a-"}},
        ),
        ({"lambda_function": "f", "lambda": {}}, {}),
    ],
)
def test_a_webhook_of_a_row_keeps_its_conditions(given: dict[str, Any], read: dict[str, Any]) -> None:
    assert webhook_of(**given) == read


@pytest.mark.parametrize(
    "given",
    [
        {"filter": {"channel_name_starts_with": "a-", "channel_prefix": "b-"}},
        {"channel_name_starts_with": "a-", "filter": {"channel_name_starts_with": "b-"}},
        {"channel_name_starts_with": "a-", "filter": "x"},
    ],
)
def test_conditions_that_contradict_each_other_are_not_dropped(given: dict[str, Any]) -> None:
    assert str(webhook_of(**given)).count("channel_name_starts_with") >= 1


def test_a_condition_of_the_wrong_kind_makes_no_app() -> None:
    webhook = HOOK | {"filter": {"channel_name_starts_with": ["a-"]}}

    with pytest.raises(ConfigError, match=r"webhooks\[0\].filter.channel_prefix"):
        app_from_record(read_record(IDENTITY | {"webhooks": [webhook]}))


@pytest.mark.parametrize(("is_async", "kind"), [(True, "Event"), (False, "RequestResponse"), (None, "RequestResponse")])
def test_a_function_and_its_options_become_one_object(is_async: bool | None, kind: str) -> None:
    options = {"async": is_async, "region": "eu-west-1", "client_options": {"endpoint": "http://l.io"}}
    hook = {"lambda_function": "f", "lambda": options, "event_types": ["cache_miss"]}
    (found,) = app_from_record(read_record(IDENTITY | {"webhooks": [hook]})).webhooks

    assert found.lambda_ is not None
    assert found.lambda_.model_dump(exclude_none=True) == {
        "function_name": "f",
        "region": "eu-west-1",
        "invocation_type": kind,
        "endpoint_url": "http://l.io",
    }


@pytest.mark.parametrize("value", [None, "x", [1], [], [HOOK], [HOOK | {"filter": {"channel_prefix": "a-"}}]])
def test_webhooks_that_are_not_soketis_stay_as_they_are(value: object) -> None:
    assert read_record({"webhooks": value})["webhooks"] == value
