"""The policy of an app: read as its plain properties; what restricts and is not understood is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sockudo.config.app_record import app_from_record
from sockudo.config.sections.app import AppSettings
from sockudo.config.sections.app_policy import GROUPS
from tests.clients.client import PusherClient
from tests.servers.server import app, server_process

from .conftest import Load, Problems

APP: dict[str, Any] = {"id": "a", "key": "k", "secret": "s"}
HERE = "app_manager.array.apps[0]"


def with_policy(policy: Any, **more: Any) -> dict[str, Any]:
    return {"app_manager": {"array": {"apps": [APP | more | {"policy": policy}]}}}


def test_every_property_but_the_identity_belongs_in_a_policy() -> None:
    grouped = {name for names in GROUPS.values() for name in names} | {"webhooks"}

    assert grouped == set(AppSettings.model_fields) - {"id", "key", "secret", "enabled"}


def test_a_policy_is_read_as_the_plain_properties(load_document: Load) -> None:
    policy = {
        "limits": {"max_connections": "7", "max_event_batch_size": 3, "max_backend_events_per_second": None},
        "features": {"enable_client_messages": True, "enable_user_authentication": True},
        "channels": {"allowed_origins": ["https://A.io/"]},
        "webhooks": [{"url": "https://x.io/hook", "event_types": ["member_added"]}],
    }
    loaded = load_document(with_policy(policy))

    (app,) = loaded.settings.apps
    assert (app.max_connections, app.max_event_batch_size, app.max_backend_events_per_second) == (7, 3, None)
    assert (app.enable_client_messages, app.enable_user_authentication) == (True, True)
    assert app.allowed_origins == ("https://a.io",)
    assert [hook.url for hook in app.webhooks] == ["https://x.io/hook"]
    assert loaded.warnings == []


def test_a_row_may_have_a_policy() -> None:
    assert app_from_record(APP | {"policy": {"limits": {"max_connections": 7}}}).max_connections == 7


@pytest.mark.parametrize(
    ("policy", "place", "sentence"),
    [
        ({"limits": {"max_connections": "x"}}, "limits.max_connections", "expected an integer"),
        ({"channels": {"allowed_origins": ["wss://a"]}}, "channels.allowed_origins[0]", "expected an origin"),
        ({"webhooks": [{"url": "x"}]}, "webhooks[0].url", "expected an http or https URL"),
        ({"webhooks": [{"filter": {"x": 1}}]}, "webhooks[0].filter.x", "is an unknown condition"),
        ({"limits": []}, "limits", "expected an object"),
        (5, "", "expected an object"),
        ({"limits": {"max_conections": 1}}, "limits.max_conections", "did you mean max_connections?"),
        ({"limits": {"terminate_on_limit": True}}, "limits.terminate_on_limit", "is unknown, and may restrict"),
        ({"limits": {"decay_seconds": 60}}, "limits.decay_seconds", "is unknown, and may restrict"),
        ({"limits": {"message_rate_limit": {"enabled": True}}}, "limits.message_rate_limit", "is unknown"),
        ({"limits": {"anything": 1}}, "limits.anything", "is unknown, and may restrict"),
        ({"features": {"enable_guests": False}}, "features.enable_guests", "is unknown, and may restrict"),
        ({"channels": {"channel_namespaces": [{"name": "a"}]}}, "channels.channel_namespaces", "is unknown"),
        ({"channels": {"channel_name_pattern": "^a"}}, "channels.channel_name_pattern", "is unknown"),
        ({"capabilities": {"a": ["publish"]}}, "capabilities", "is unknown, and may restrict"),
        ({"allowed_origins": ["https://a.io"]}, "allowed_origins", "is unknown, and may restrict"),
        ({"channel": {"allowed_origins": ["https://a.io"]}}, "channel", "did you mean channels?"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_path(policy: Any, place: str, sentence: str, problems_of: Problems) -> None:
    problems = problems_of(with_policy(policy))

    where = f"{HERE}.policy.{place}" if place else f"{HERE}.policy"
    assert any(problem.startswith(f'{where} (app "a"): ') and sentence in problem for problem in problems)


@pytest.mark.parametrize(
    ("policy", "beside"),
    [
        ({"limits": {"max_connections": 5}}, {"max_connections": 10}),
        ({"channels": {"allowed_origins": ["https://a.io"]}}, {"allowed_origins": []}),
        ({"features": {"enable_client_messages": False}}, {"enable_client_messages": True}),
    ],
)
def test_a_policy_and_a_plain_property_that_differ_are_refused(
    policy: dict[str, Any], beside: dict[str, Any], problems_of: Problems
) -> None:
    (problem,) = problems_of(with_policy(policy, **beside))

    assert problem.startswith(f"{HERE}.policy.")
    assert f"differs from {next(iter(beside))} beside the policy" in problem


def test_a_policy_and_a_plain_property_may_say_the_same(load_document: Load) -> None:
    document = with_policy({"limits": {"max_connections": 5}}, max_connections=5, allowed_origins=None)

    assert load_document(document).settings.apps[0].max_connections == 5


def test_features_of_a_policy_that_restrict_nothing_are_warnings(load_document: Load) -> None:
    policy = {
        "limits": {"decay_seconds": 1, "terminate_on_limit": False, "message_rate_limit": None},
        "channels": {
            "channel_delta_compression": {"a": "fossil"},
            "annotations_enabled": True,
            "channel_namespaces": [],
        },
        "idempotency": {"enabled": True},
        "connection_recovery": {"enabled": True},
        "history": {"enabled": True},
        "presence_history": {"enabled": True},
    }

    assert load_document(with_policy(policy)).warnings == [
        f"unknown key {HERE}.policy.{name} has no effect"
        for name in (
            "channels.channel_delta_compression",
            "channels.annotations_enabled",
            "idempotency",
            "connection_recovery",
            "history",
            "presence_history",
        )
    ]


async def test_the_origins_of_a_policy_refuse_other_pages(tmp_path: Path) -> None:
    policy = {"channels": {"allowed_origins": ["https://a.io/"]}, "limits": {"max_connections": 1}}

    with server_process(tmp_path, app(policy=policy)) as server:
        async with PusherClient(server.port, origin="https://a.io"):
            assert (await PusherClient(server.port, origin="https://b.io").expect_refusal())[0] == 4009
            assert (await PusherClient(server.port, origin="https://a.io").expect_refusal())[0] == 4004


def test_a_variable_overrides_what_a_policy_says(load_document: Load) -> None:
    policy = {"limits": {"max_connections": 7, "max_event_batch_size": 3}, "channels": {"allowed_origins": ["a.io"]}}
    environ = {f"SOCKUDO_DEFAULT_APP_{name.upper()}": value for name, value in APP.items() if name != "id"}
    environ |= {"SOCKUDO_DEFAULT_APP_ID": "a", "SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS": "9"}

    (app,) = load_document(with_policy(policy), environ).settings.apps

    assert (app.max_connections, app.max_event_batch_size, app.allowed_origins) == (9, 3, ("a.io",))
