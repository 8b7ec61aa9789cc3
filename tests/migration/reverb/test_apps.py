"""Apps of Laravel Reverb."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.apps.origins import AllowedOrigins
from sockudo.config.sections.app import AppSettings
from sockudo.migration.draft import Draft
from sockudo.migration.reverb.apps import convert_apps

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


@pytest.mark.parametrize("name", ["allowed_origin", "allowedOrigins", "origins"])
def test_a_misspelt_list_of_origins_refuses_browsers(name: str) -> None:
    app, remarks = one(**{name: ["example.com"]})

    assert not AllowedOrigins(app.allowed_origins).allows("https://other.example")
    assert remarks[0].startswith(f"apps.apps.0.{name}: is not allowed_origins, which Reverb reads")


def test_an_unknown_key_of_a_rate_limit_is_named() -> None:
    _, remarks = one(rate_limiting={"enable": True, "max_attempts": 5})

    assert remarks == ["apps.apps.0.rate_limiting.enable: is no setting of a limit of Reverb"]


def test_an_empty_list_of_origins_refuses_browsers_here_too() -> None:
    app, (remark,) = one(allowed_origins=[])

    assert not AllowedOrigins(app.allowed_origins).allows("https://example.com")
    assert remark.startswith("apps.apps.0.allowed_origins: allows no origin, so every browser is refused")


@pytest.mark.parametrize(
    ("given", "kept", "named"),
    [
        ([""], [], [".0"]),
        (["a.io", ""], ["a.io"], [".1"]),
        ([None], [], [".0"]),
        ([None, 5, {}, ["b.io"], "a.io"], ["a.io"], [".0", ".1", ".2", ".3"]),
        (["a*b*c"], [], [".0"]),
        (["example.*"], [], [".0"]),
        (None, [], [".0"]),
        (False, [], [".0"]),
        ({}, [], []),
        ({"a": "b.io"}, [], [".0"]),
        ("", [], [".0"]),
        ("[x", [], [""]),
        ("a.io, b.io", ["a.io", "b.io"], []),
        ([" a.io "], ["a.io"], []),
        (["*", ""], ["*"], [".1"]),
    ],
)
def test_origins_are_read_one_by_one(given: object, kept: list[str], named: list[str]) -> None:
    app, remarks = one(allowed_origins=given)

    assert list(app.allowed_origins) == (kept or ["https://origin.invalid"])
    assert AllowedOrigins(app.allowed_origins).allows("https://other.example") is (kept == ["*"])
    keys = [remark.partition(": ")[0] for remark in remarks]
    assert [key for key in keys if key.removeprefix("apps.apps.0.allowed_origins") in (".0", ".1", ".2", ".3")] == [
        f"apps.apps.0.allowed_origins{name}" for name in named if name
    ]
    if not kept:
        assert remarks[-1].startswith("apps.apps.0.allowed_origins: allows no origin")


@pytest.mark.parametrize("limit", [True, "yes", 5, [1], {"enabled": "maybe"}, {"enabled": True, "max_attempts": "x"}])
def test_a_limit_that_cannot_be_read_is_the_strictest(limit: object) -> None:
    app, remarks = one(rate_limiting=limit)

    assert app.max_client_events_per_second == (60 if limit == {"enabled": "maybe"} else 1)
    assert remarks[0].startswith("apps.apps.0.rate_limiting")
    assert "strictest" in remarks[0]


@pytest.mark.parametrize("value", ["many", -1, 0, "0", True, [5], {}])
def test_an_app_whose_connections_cannot_be_read_is_disabled(value: object) -> None:
    app, (remark,) = one(max_connections=value)

    assert not app.enabled
    assert remark.startswith("apps.apps.0.max_connections: is ")


def test_options_of_an_app_restrict_nothing() -> None:
    app, (remark,) = one(options="x")

    assert app.enabled
    assert remark == "apps.apps.0.options: is no JSON"


@pytest.mark.parametrize("value", ["nobody", 1, ["all"], True])
def test_senders_that_cannot_be_read_may_not_send(value: object) -> None:
    app, (remark,) = one(accept_client_events_from=value)

    assert not app.enable_client_messages
    assert remark.startswith("apps.apps.0.accept_client_events_from: ")


@pytest.mark.parametrize(
    "entry", [None, "x", 5, [], {"key": "k", "secret": "s"}, {"app_id": 1, "key": [], "secret": "s"}]
)
def test_an_entry_that_is_no_app_is_left_out_alone(entry: object) -> None:
    draft = Draft()
    convert_apps({"apps": [entry, IDENTITY]}, draft)

    assert [app["id"] for app in draft.document["app_manager"]["array"]["apps"]] == ["1"]
    assert draft.remarks[0].key.startswith("apps.apps.0")
    assert draft.remarks[0].text.endswith("; the app is left out")


def test_an_unreadable_message_size_becomes_the_usual_one() -> None:
    draft = convert({"max_message_size": "x", "activity_timeout": []})

    assert draft.document["websocket_max_payload_kb"] == 10
    assert [remark.key for remark in draft.remarks] == [
        "apps.apps.0.activity_timeout",
        "apps.apps.0.max_message_size",
    ]


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


def test_ending_a_connection_that_sends_too_much_has_no_equal() -> None:
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
    ],
)
def test_what_cannot_be_taken_over_is_remarked(app: dict[str, Any], key: str) -> None:
    assert [remark.key for remark in convert(app).remarks] == [f"apps.apps.0.{key}"]


def test_a_per_app_value_becomes_the_widest_of_all() -> None:
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
