"""Apps of Laravel Reverb."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.apps.origins import AllowedOrigins
from sockudo.config.app import AppSettings
from sockudo.migration.draft import Draft
from sockudo.migration.reverb_apps import convert_apps

IDENTITY = {"app_id": "1", "key": "k", "secret": "s"}


def convert(*apps: dict[str, Any], provider: str = "config") -> Draft:
    draft = Draft()
    listed = [IDENTITY | {"app_id": index, "key": f"k{index}"} | app for index, app in enumerate(apps)]
    convert_apps({"provider": provider, "apps": listed}, draft)
    return draft


def one(**app: Any) -> tuple[AppSettings, list[str]]:
    draft = convert(app)
    (found,) = draft.document["app_manager"]["array"]["apps"]
    return AppSettings.model_validate(found), [str(remark) for remark in draft.remarks]


def test_an_id_may_be_a_number() -> None:
    app, remarks = one(app_id=17)

    assert (app.id, app.key, app.secret, remarks) == ("17", "k0", "s", [])


@pytest.mark.parametrize(("given", "kept"), [(500, 500), ("500", 500), (None, 0), ("", 0)])
def test_connections_may_be_limited(given: object, kept: int) -> None:
    assert one(max_connections=given)[0].max_connections == kept


@pytest.mark.parametrize(
    ("app", "accepted", "count"),
    [
        ({}, True, 0),
        ({"accept_client_events_from": "members"}, True, 0),
        ({"accept_client_events_from": "all"}, True, 1),
        ({"accept_client_events_from": "none"}, False, 0),
        ({"accept_client_events_from": ""}, False, 0),
        ({"accept_client_events_from": None}, False, 0),
    ],
)
def test_client_events_are_accepted_or_not(app: dict[str, Any], accepted: bool, count: int) -> None:
    found, remarks = one(**app)

    assert found.enable_client_messages is accepted
    assert len(remarks) == count


def test_an_empty_list_of_origins_refuses_browsers_here_too() -> None:
    app, (remark,) = one(allowed_origins=[])

    assert not AllowedOrigins(app.allowed_origins).allows("https://example.com")
    assert remark.startswith("apps.apps.0.allowed_origins: is empty and refuses every browser")


@pytest.mark.parametrize("origins", [["example.com", "*.example.com"], {"0": "example.com", "1": "*.example.com"}])
def test_origins_are_hosts_in_both(origins: object) -> None:
    app, (remark,) = one(allowed_origins=origins)

    assert app.allowed_origins == ("example.com", "*.example.com")
    assert AllowedOrigins(app.allowed_origins).allows("https://example.com")
    assert "a port" in remark


def test_every_origin_needs_no_remark() -> None:
    assert one(allowed_origins=["*"])[1] == []


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        ({"enabled": True, "max_attempts": 60, "decay_seconds": 60}, 1),
        ({"enabled": "true", "max_attempts": "90", "decay_seconds": "60"}, 2),
        ({"enabled": True, "max_attempts": 5}, 5),
        ({"enabled": False, "max_attempts": 5}, 0),
        ({}, 0),
    ],
)
def test_a_limit_of_messages_is_one_of_client_events(limit: dict[str, Any], kept: int) -> None:
    app, remarks = one(rate_limiting=limit)

    assert app.max_client_events_per_second == kept
    assert len(remarks) == (1 if kept else 0)


def test_to_end_a_connection_that_sends_too_much_has_no_equal() -> None:
    _, remarks = one(rate_limiting={"enabled": True, "terminate_on_limit": True})

    assert remarks[-1].startswith("apps.apps.0.rate_limiting.terminate_on_limit: has no equal")


@pytest.mark.parametrize(
    ("app", "key"),
    [
        ({"options": {"host": "x"}}, "options"),
        ({"ping_interval": 60}, "ping_interval"),
        ({"webhooks": {}}, "webhooks"),
        ({"max_connections": "many"}, "max_connections"),
        ({"secret": ""}, "secret"),
        ({"rate_limiting": {"enabled": "maybe"}}, "rate_limiting"),
    ],
)
def test_what_cannot_be_taken_over_is_remarked(app: dict[str, Any], key: str) -> None:
    assert [remark.key for remark in convert(app).remarks] == [f"apps.apps.0.{key}"]


def test_what_every_app_has_for_itself_is_the_widest_of_all() -> None:
    draft = convert(
        {"activity_timeout": 30, "max_message_size": 10_000}, {"activity_timeout": "20", "max_message_size": 99_000}
    )

    assert draft.document["activity_timeout"] == 20
    assert draft.document["websocket_max_payload_kb"] == 97
    assert [remark.key for remark in draft.remarks] == [
        "apps.apps.*.activity_timeout",
        "apps.apps.*.max_message_size",
    ]


def test_apps_of_another_provider_are_elsewhere() -> None:
    draft = convert(provider="database")

    assert [remark.key for remark in draft.remarks] == ["apps.provider"]
