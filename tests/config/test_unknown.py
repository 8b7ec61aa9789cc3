"""Keys that have no effect: misspelt, misplaced, not supported, or not for files."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Load

APP: dict[str, Any] = {"id": "a", "key": "k", "secret": "s"}


def with_app(**more: Any) -> dict[str, Any]:
    return {"app_manager": {"array": {"apps": [APP | more]}}}


@pytest.mark.parametrize(
    ("document", "warning"),
    [
        ({"prot": 1}, "unknown key prot has no effect (did you mean port?)"),
        ({"rate_limiting": {}}, "unknown key rate_limiting has no effect (did you mean rate_limiter?)"),
        ({"cors": {"origins": []}}, "unknown key cors.origins has no effect (did you mean cors.origin?)"),
        (
            {"http_api": {"accept_traffic": {"memory_treshold": 1}}},
            "unknown key http_api.accept_traffic.memory_treshold has no effect "
            "(did you mean http_api.accept_traffic.memory_threshold?)",
        ),
        ({"trust_hop": 1}, "unknown key trust_hop has no effect"),
        (
            {"max_channels_at_once": 5},
            "unknown key max_channels_at_once has no effect (did you mean event_limits.max_channels_at_once?)",
        ),
        (
            {"max_name_length": 5},
            "unknown key max_name_length has no effect "
            "(did you mean channel_limits.max_name_length or event_limits.max_name_length?)",
        ),
        ({"zzz\n": 5}, 'unknown key "zzz\\n" has no effect'),
    ],
)
def test_an_unknown_key_is_warned_about_with_the_nearest_name(
    document: dict[str, Any], warning: str, load_document: Load
) -> None:
    assert warning in load_document({**document, **with_app()}).warnings


def test_an_unknown_key_of_an_app_is_warned_about_with_its_place(load_document: Load) -> None:
    document = with_app(
        max_conections=1,
        webhooks=[{"url": "http://x", "event_types": ["cache_miss"], "filter": {"channel_tpe": "public"}}],
    )

    warnings = load_document(document).warnings

    here = "app_manager.array.apps[0]"
    assert f"unknown key {here}.max_conections has no effect (did you mean {here}.max_connections?)" in warnings
    assert any(f"unknown key {here}.webhooks[0].filter.channel_tpe" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ("endpoint", "endpoint_url"),
        ("access_key", "aws_access_key_id"),
        ("secret_key", "aws_secret_access_key"),
        ("profile_name", "aws_profile_name"),
    ],
)
def test_a_key_may_have_another_name(other: str, name: str, load_document: Load) -> None:
    loaded = load_document({"database": {"dynamodb": {other: "http://x"}}, **with_app()})

    assert getattr(loaded.settings.database.dynamodb, name) == "http://x"
    assert loaded.warnings == []


def test_the_own_name_of_a_key_wins_over_the_other(load_document: Load) -> None:
    loaded = load_document({"database": {"dynamodb": {"access_key": "a", "aws_access_key_id": "b"}}, **with_app()})

    assert loaded.settings.database.dynamodb.aws_access_key_id == "b"
    assert loaded.warnings == [
        "unknown key database.dynamodb.access_key has no effect (did you mean database.dynamodb.aws_access_key_id?)"
    ]


def test_a_setting_of_the_environment_is_ignored_in_a_file_with_a_warning(load_document: Load) -> None:
    loaded = load_document({"logging": {"output_format": 5}, **with_app()})

    assert loaded.settings.logging.output_format == "human"
    assert loaded.warnings == [
        "logging.output_format has no effect in a file: set LOG_OUTPUT_FORMAT or LOG_FORMAT in the environment"
    ]
