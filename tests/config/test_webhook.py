"""Webhooks of an app: what narrows them is understood or refused."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.config.app_record import app_from_record
from sockudo.errors import ConfigError

from .conftest import Load, Problems

APP: dict[str, Any] = {"id": "a", "key": "k", "secret": "s"}
HOOK: dict[str, Any] = {"url": "https://x.io/hook", "event_types": ["member_added"]}


def with_hook(**more: Any) -> dict[str, Any]:
    return {"app_manager": {"array": {"apps": [APP | {"webhooks": [HOOK | more]}]}}}


@pytest.mark.parametrize(
    "key",
    [
        "channel_tpe",
        "channel_name_starts_with",
        "channel_namespace",
        "channel_namespaces",
        "note",
        "",
        "Channel_prefix",
    ],
)
def test_an_unknown_condition_of_a_filter_is_refused(key: str, problems_of: Problems) -> None:
    (problem,) = problems_of(with_hook(filter={key: "private-"}))

    assert problem.startswith("app_manager.array.apps[0].webhooks[0].filter.")
    assert "is an unknown condition, and without it more channels would pass" in problem


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"channel_prefix": "private-"}, "is a condition and belongs into filter"),
        ({"channel_pattern": "x"}, "is a condition and belongs into filter"),
        ({"filters": {"channel_prefix": "x"}}, "did you mean filter?"),
        ({"events": ["member_added"]}, "is unknown, and may restrict"),
        ({"eventTypes": ["member_added"]}, "did you mean event_types?"),
        ({"enabled": False}, "is unknown, and may restrict"),
        ({"channel_namespaces": ["a"]}, "is unknown, and may restrict"),
        ({"only": ["a"]}, "is unknown, and may restrict"),
        ({"active": False}, "is unknown, and may restrict"),
        ({"paused": True}, "is unknown, and may restrict"),
        ({"starts_with": "a"}, "is unknown, and may restrict"),
        ({"match": "a"}, "is unknown, and may restrict"),
        ({"regex": "a"}, "is unknown, and may restrict"),
        ({"conditions": {"a": 1}}, "is unknown, and may restrict"),
        ({"ignore": ["a"]}, "is unknown, and may restrict"),
        ({"topics": ["a"]}, "is unknown, and may restrict"),
        ({"filter": {"channel_pattern": ""}}, "it is empty, and would match every channel"),
        ({"verify_tls": True}, "is unknown, and may restrict"),
        ({"headrs": {"Authorization": "x"}}, "did you mean headers?"),
    ],
)
def test_a_restriction_beside_the_url_is_refused(more: dict[str, Any], sentence: str, problems_of: Problems) -> None:
    (problem,) = problems_of(with_hook(**more))

    assert problem.startswith("app_manager.array.apps[0].webhooks[0].")
    assert sentence in problem


def test_keys_of_a_webhook_that_restrict_nothing_are_warnings(load_document: Load) -> None:
    loaded = load_document(with_hook(retry={"enabled": True}, request_timeout_ms=5, enabled=True, filter={"x": None}))

    assert len(loaded.warnings) == 4
    assert len(loaded.settings.apps[0].webhooks) == 1


def test_a_row_with_an_unknown_condition_makes_no_app() -> None:
    row = APP | {"webhooks": [HOOK | {"filter": {"channel_name_starts_with": "private-"}}]}

    with pytest.raises(ConfigError, match=r"webhooks\[0\]\.filter\.channel_name_starts_with: is an unknown condition"):
        app_from_record(row)
