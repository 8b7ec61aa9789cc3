"""Keys that have no effect: misspelt, misplaced, not supported, or not for files."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Load, Problems, document_with, merged

APP: dict[str, Any] = {"id": "a", "key": "k", "secret": "s"}


def with_app(**more: Any) -> dict[str, Any]:
    return {"app_manager": {"array": {"apps": [APP | more]}}}


@pytest.mark.parametrize(
    ("document", "warning"),
    [
        ({"prot": 1}, "unknown key prot has no effect (did you mean port?)"),
        ({"rate_limiting": {}}, "unknown key rate_limiting has no effect (did you mean rate_limiter?)"),
        (
            {"cleanup": {"batch_sise": 1}},
            "unknown key cleanup.batch_sise has no effect (did you mean cleanup.batch_size?)",
        ),
        ({"concurrency": 5}, "unknown key concurrency has no effect"),
        ({"history": {"max_page_size": 5}}, "unknown key history has no effect (did you mean host?)"),
        ({"websocket": {"max_messages": 5}}, "unknown key websocket.max_messages has no effect"),
        ({"presence": {"ungraceful_timeout_seconds": 5}}, "unknown key presence.ungraceful_timeout_seconds"),
        ({"rate_limiter": {"redis": {"timeout": 5}}}, "unknown key rate_limiter.redis.timeout has no effect"),
        ({"presence": {"_comment": "few"}}, "unknown key presence._comment has no effect"),
        ({"webhooks": {"retry": {"enabled": True}}}, "unknown key webhooks.retry has no effect"),
        ({"zzz\n": 5}, 'unknown key "zzz\\n" has no effect'),
    ],
)
def test_an_unknown_key_is_warned_about_with_the_nearest_name(
    document: dict[str, Any], warning: str, load_document: Load
) -> None:
    assert any(one.startswith(warning) for one in load_document({**document, **with_app()}).warnings)


@pytest.mark.parametrize(
    ("document", "place", "meant"),
    [
        ({"cors": {"origins": ["https://a.io"]}}, "cors.origins", "did you mean origin?"),
        ({"cors": {"origins": []}}, "cors.origins", "did you mean origin?"),
        ({"rate_limiting": {"enabled": True}}, "rate_limiting", "did you mean rate_limiter?"),
        ({"rate_limiter": {"enable": True}}, "rate_limiter.enable", "did you mean enabled?"),
        (
            {"rate_limiter": {"api_rate_limit": {"trust_hop": 1}}},
            "rate_limiter.api_rate_limit.trust_hop",
            "did you mean trust_hops?",
        ),
        (
            {"http_api": {"accept_traffic": {"memory_treshold": 1}}},
            "http_api.accept_traffic.memory_treshold",
            "did you mean memory_threshold?",
        ),
        ({"trust_hop": 1}, "trust_hop", ""),
        ({"allowed_origins": ["https://a.io"]}, "allowed_origins", ""),
        ({"max_channels_at_once": 5}, "max_channels_at_once", "it is a key of event_limits.max_channels_at_once"),
        (
            {"max_name_length": 5},
            "max_name_length",
            "it is a key of channel_limits.max_name_length or event_limits.max_name_length",
        ),
        (document_with("database.postgres.sslmode", "require"), "database.postgres.sslmode", ""),
        (document_with("database.redis.verify_tls", True), "database.redis.verify_tls", ""),
        ({"presence": {"max_members": 5}}, "presence.max_members", ""),
        ({"channel_limits": {"max_channels": 5}}, "channel_limits.max_channels", "max_channels_per_connection"),
        ({"event_limits": {"payload": 5}}, "event_limits.payload", ""),
        ({"rate_limiter": {"api": {"max_requests": 1}}}, "rate_limiter.api", ""),
        ({"rate_limiter": {"api_rate_limit": {"limit": 1}}}, "rate_limiter.api_rate_limit.limit", ""),
        ({"http_api": {"accept_traffic": {"limit": 0.5}}}, "http_api.accept_traffic.limit", ""),
        ({"webhooks": {"private": False}}, "webhooks.private", "did you mean allow_private?"),
        ({"webhooks": {"allow_loopback": False}}, "webhooks.allow_loopback", ""),
        ({"bind": "127.0.0.1"}, "bind", ""),
        ({"listen_address": "127.0.0.1"}, "listen_address", ""),
        ({"eventLimits": {"max_batch_size": 1}}, "eventLimits", "did you mean event_limits?"),
    ],
)
def test_an_unknown_key_near_a_restricting_setting_is_refused(
    document: dict[str, Any], place: str, meant: str, problems_of: Problems
) -> None:
    (problem,) = problems_of(merged(document, with_app()))

    assert problem.startswith(f"{place}: is unknown, and may restrict something that would stay open; ")
    assert meant in problem


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"max_conections": 1}, "max_conections"),
        ({"maxConnections": 1}, "maxConnections"),
        ({"allowed_orgins": ["https://a.io"]}, "allowed_orgins"),
        ({"enableClientMessages": False}, "enableClientMessages"),
        ({"is_enabled": False}, "is_enabled"),
        ({"require_tls": True}, "require_tls"),
        ({"channel_namespaces": [{"name": "a"}]}, "channel_namespaces"),
        ({"message_rate_limit": {"enabled": True}}, "message_rate_limit"),
        ({"accept_client_events_from": "members"}, "accept_client_events_from"),
        ({"active": False}, "active"),
        ({"isActive": False}, "isActive"),
        ({"status": "disabled"}, "status"),
        ({"suspended": True}, "suspended"),
        ({"deleted_at": "2024-01-01"}, "deleted_at"),
        ({"expires_at": "2024-01-01"}, "expires_at"),
        ({"capacity": 10}, "capacity"),
        ({"throttle": 10}, "throttle"),
        ({"readonly": True}, "readonly"),
        ({"referers": ["a.io"]}, "referers"),
        ({"scopes": ["read"]}, "scopes"),
    ],
)
def test_an_app_with_a_restriction_that_is_unknown_is_refused(
    more: dict[str, Any], place: str, problems_of: Problems
) -> None:
    (problem,) = problems_of(with_app(**more))

    assert problem.startswith(f'app_manager.array.apps[0].{place} (app "a"): is unknown, and may restrict something')


@pytest.mark.parametrize(
    "more",
    [
        {"name": "Chat", "created_at": "2024", "_comment": "x"},
        {"channel_namespaces": None, "decay_seconds": None, "terminate_on_limit": False},
        {
            "active": True,
            "is_active": True,
            "suspended": False,
            "deleted_at": None,
            "status": "active",
            "capacity": None,
        },
        {"path": "", "statistics": True, "labels": {"team": "x"}, "activity_timeout": 30, "options": {"useTLS": True}},
        {"channel_namespaces": [], "message_rate_limit": {"enabled": False}},
        {"channel_delta_compression": {"a:*": "fossil"}, "idempotency": {"enabled": True}, "annotations_enabled": True},
    ],
)
def test_unknown_keys_of_an_app_that_restrict_nothing_are_warnings(more: dict[str, Any], load_document: Load) -> None:
    warnings = load_document(with_app(**more)).warnings

    assert len(warnings) == len(more)
    assert all(warning.startswith("unknown key app_manager.array.apps[0].") for warning in warnings)


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


def test_a_setting_of_the_environment_in_a_file_warns_only(load_document: Load) -> None:
    loaded = load_document({"logging": {"output_format": 5}, **with_app()})

    assert loaded.settings.logging.output_format == "human"
    assert loaded.warnings == [
        "logging.output_format has no effect in a file: set LOG_OUTPUT_FORMAT or LOG_FORMAT in the environment"
    ]
