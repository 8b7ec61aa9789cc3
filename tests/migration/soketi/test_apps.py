"""Apps of soketi."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.config.sections.app import AppSettings
from sockudo.migration.draft import Draft
from sockudo.migration.soketi.apps import FIELDS, convert_app
from sockudo.migration.soketi.apps import IDENTITY as NAMES

IDENTITY = {"id": "1", "key": "k", "secret": "s"}


def convert(**app: Any) -> tuple[dict[str, Any], list[str]]:
    draft = Draft()
    found = convert_app(IDENTITY | app, "apps.0", draft)
    assert found is not None
    AppSettings.model_validate(found)
    return found, [str(remark) for remark in draft.remarks]


def with_webhook(**webhook: Any) -> tuple[dict[str, Any], list[str]]:
    app, remarks = convert(webhooks=[{"event_types": ["cache_miss"]} | webhook])
    return app.get("webhooks", [{}])[0], remarks


def test_every_field_is_one_of_an_app_here() -> None:
    assert set(FIELDS) <= set(AppSettings.model_fields)


@pytest.mark.parametrize("field", [field for field in FIELDS if field.startswith("max_")])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_limit_is_known_in_each_of_its_spellings(field: str, place: int) -> None:
    found, remarks = convert(**{FIELDS[field][0][place]: "7"})

    assert found[field] == 7
    assert remarks == []


def test_the_last_spelling_that_has_a_value_counts() -> None:
    found, _ = convert(maxConnections=1, MaxConnections=2, max_connections=None)

    assert found["max_connections"] == 2


@pytest.mark.parametrize("value", [True, 1, "true", "1"])
def test_switches_are_switches_in_every_form(value: object) -> None:
    found, _ = convert(enableClientMessages=value, enabled=value, enableUserAuthentication=value)

    assert found["enable_client_messages"] is found["enabled"] is found["enable_user_authentication"] is True


@pytest.mark.parametrize(
    "name", ["maxConnections", "maxBackendEventsPerSecond", "maxClientEventsPerSecond", "maxReadRequestsPerSecond"]
)
@pytest.mark.parametrize("value", [-1, "-1"])
def test_a_negative_limit_is_none(name: str, value: object) -> None:
    assert convert(**{name: value}) == (IDENTITY, [])


def test_zero_connections_are_no_limit_in_both() -> None:
    assert convert(maxConnections=0)[0]["max_connections"] == 0


def test_zero_client_events_are_none_at_all() -> None:
    found, (remark,) = convert(maxClientEventsPerSecond=0, enableClientMessages=True)

    assert found["enable_client_messages"] is False
    assert "max_client_events_per_second" not in found
    assert remark.startswith("apps.0.maxClientEventsPerSecond: 0 refuses every client event")


def test_a_part_of_a_kilobyte_is_a_whole_one() -> None:
    assert convert(maxPresenceMemberSizeInKb=0.5)[0]["max_presence_member_size_in_kb"] == 1


def test_a_missing_id_and_key_are_soketis_defaults() -> None:
    draft = Draft()
    found = convert_app({"AppSecret": "s"}, "apps.0", draft)

    assert found == {"id": "app-id", "key": "app-key", "secret": "s"}
    assert [remark.key for remark in draft.remarks] == ["apps.0.id", "apps.0.key"]


@pytest.mark.parametrize("secret", [None, "", "  ", {}, ["s"], True, "\ud800"])
def test_an_app_without_its_own_secret_is_left_out(secret: object) -> None:
    draft = Draft()

    assert convert_app({"id": "1", "key": "k", "secret": secret}, "apps.0", draft) is None
    assert [remark.key for remark in draft.remarks] == ["apps.0.secret"]


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in (*NAMES, "enable_client_messages")])
@pytest.mark.parametrize("value", ["many", {}, ["x"], float("nan")])
def test_an_app_with_an_unreadable_property_is_disabled(name: str, value: object) -> None:
    found, (remark,) = convert(**{FIELDS[name][0][0]: value})

    assert found == IDENTITY | {"enabled": False}
    assert remark.startswith(f"apps.0.{FIELDS[name][0][0]}: is ")


def test_client_events_that_cannot_be_read_are_refused() -> None:
    found, (remark,) = convert(enableClientMessages="maybe")

    assert found == IDENTITY | {"enable_client_messages": False}
    assert remark == "apps.0.enableClientMessages: is neither true nor false; client events are refused"


@pytest.mark.parametrize(
    ("webhook", "words"),
    [
        ({"filter": {"channel_name_starts_with": "a-", "channelPrefix": "b-"}}, "has a filter channelPrefix"),
        ({"filter": {"channel_prefix": "b-"}}, "has a filter channel_prefix"),
        ({"filter": {"channel_name_starts_with": ["a-"]}}, "is no text"),
        ({"filter": ["a-"]}, "is no object"),
        ({"channel_name_starts_with": "a-"}, "has channel_name_starts_with beside the URL"),
        ({"channel_prefix": "a-"}, "has channel_prefix beside the URL"),
        ({"filters": {}}, "has filters beside the URL"),
        ({"headers": [1]}, "is no object"),
    ],
)
def test_a_webhook_whose_conditions_are_not_understood_is_left_out(webhook: dict[str, Any], words: str) -> None:
    found, (remark,) = with_webhook(url="http://h", **webhook)

    assert found == {}
    assert words in remark
    assert remark.endswith("; it is left out")


@pytest.mark.parametrize(
    ("name", "value", "remark"),
    [
        ("hasClientEventWebhooks", True, "apps.0.hasClientEventWebhooks: is no setting of an app"),
        ("webhooks", "{}x", "apps.0.webhooks: is no JSON"),
        ("webhooks", [1], "apps.0.webhooks.0: is no object; it is left out"),
    ],
)
def test_what_cannot_be_taken_over_is_remarked(name: str, value: object, remark: str) -> None:
    assert convert(**{name: value}) == (IDENTITY, [remark])


def test_webhooks_may_be_the_text_of_json() -> None:
    found, _ = convert(webhooks='[{"url": "http://h", "event_types": ["cache_miss"]}]')

    assert found["webhooks"] == [{"url": "http://h", "event_types": ["cache_miss"]}]


def test_a_webhook_has_its_filter_and_its_headers() -> None:
    filters = {"channel_name_starts_with": "a-", "channel_name_ends_with": "-z"}
    webhook, remarks = with_webhook(url="http://h", filter=filters, headers={"X-A": "1"})

    assert webhook["filter"] == {"channel_prefix": "a-", "channel_suffix": "-z"}
    assert webhook["headers"] == {"X-A": "1"}
    assert remarks == []


@pytest.mark.parametrize(("is_async", "kind"), [(True, "Event"), (False, "RequestResponse"), (None, "RequestResponse")])
def test_a_webhook_may_be_a_function(is_async: bool | None, kind: str) -> None:
    options = {"async": is_async, "region": "eu-west-1", "client_options": {"endpoint": "http://l", "maxRetries": 1}}
    webhook, remarks = with_webhook(lambda_function="f", **{"lambda": options})

    assert webhook["lambda"] == {
        "function_name": "f",
        "region": "eu-west-1",
        "invocation_type": kind,
        "endpoint_url": "http://l",
    }
    assert remarks == ["apps.0.webhooks.0.lambda.client_options.maxRetries: only region and endpoint can be set here"]


def test_a_webhook_with_url_and_function_calls_the_url() -> None:
    webhook, (remark,) = with_webhook(url="http://h", lambda_function="f")

    assert webhook == {"url": "http://h", "event_types": ["cache_miss"]}
    assert remark.startswith("apps.0.webhooks.0.lambda_function: ")


@pytest.mark.parametrize(
    ("webhook", "remark"),
    [
        ({"url": ""}, "has neither a url nor a lambda_function; it is left out"),
        ({"url": "http://h", "event_types": []}, "has no event_types; it is left out"),
        ({"url": "http://h", "filter": "x"}, "is no JSON; it is left out"),
        ({"url": {}}, "has neither a url nor a lambda_function; it is left out"),
    ],
)
def test_a_webhook_that_is_none_is_left_out(webhook: dict[str, Any], remark: str) -> None:
    assert with_webhook(**webhook) == ({}, [f"apps.0.webhooks.0: {remark}"])


def test_an_event_that_does_not_exist_is_left_out() -> None:
    webhook, (remark,) = with_webhook(url="http://h", event_types=["cache_miss", "server_startup"])

    assert webhook["event_types"] == ["cache_miss"]
    assert remark == "apps.0.webhooks.0.event_types: has an event that does not exist; it is left out"
