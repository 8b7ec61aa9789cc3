"""Apps: their properties, their webhooks, and the apps that come from elsewhere than the file."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sockudo.config.model import Settings
from sockudo.config.sections.app import AppSettings
from sockudo.config.sections.default_app import DefaultAppSettings
from sockudo.config.sections.webhook import EVENT_TYPES

from .conftest import Load, Problems

APP: dict[str, Any] = {"id": "a", "key": "k", "secret": "s"}
HOOK: dict[str, Any] = {"url": "https://x.io/hook", "event_types": ["member_added"]}
IDENTITY = {"SOCKUDO_DEFAULT_APP_ID": "d", "SOCKUDO_DEFAULT_APP_KEY": "dk", "SOCKUDO_DEFAULT_APP_SECRET": "ds"}

PLAIN_LIMITS = ["max_connections", "max_client_events_per_second"]
INHERITED_LIMITS = [
    "max_backend_events_per_second",
    "max_read_requests_per_second",
    "max_presence_members_per_channel",
    "max_presence_member_size_in_kb",
    "max_channel_name_length",
    "max_event_channels_at_once",
    "max_event_name_length",
    "max_event_payload_in_kb",
    "max_event_batch_size",
]


def with_apps(*apps: Any) -> dict[str, Any]:
    return {"app_manager": {"array": {"apps": list(apps)}}}


def test_an_app_needs_only_its_id_key_and_secret(load_document: Load) -> None:
    (app,) = load_document(with_apps(APP)).settings.apps

    assert app.enabled
    assert not app.enable_client_messages
    assert (app.max_connections, app.max_client_events_per_second) == (0, 0)
    assert [getattr(app, name) for name in INHERITED_LIMITS] == [None] * len(INHERITED_LIMITS)
    switches = (app.enable_user_authentication, app.enable_watchlist_events, app.enable_subscription_count)
    assert switches == (False, False, False)
    assert (app.webhooks, app.allowed_origins) == ((), ())


@pytest.mark.parametrize("name", [*PLAIN_LIMITS, *INHERITED_LIMITS])
@pytest.mark.parametrize("value", [7, "7"])
def test_an_apps_limit_may_be_a_number_or_a_string(name: str, value: object, load_document: Load) -> None:
    (app,) = load_document(with_apps({**APP, name: value})).settings.apps

    assert getattr(app, name) == 7


@pytest.mark.parametrize("name", [*PLAIN_LIMITS, *INHERITED_LIMITS])
@pytest.mark.parametrize("value", [-1, "-1", 2**32, str(2**32), 1.0, "1.5", True, "", " 1", "\u0661", [1]])
def test_a_limit_of_an_app_refuses_everything_else(name: str, value: object, problems_of: Problems) -> None:
    (problem,) = problems_of(with_apps({**APP, name: value}))

    assert problem.startswith(
        f'app_manager.array.apps[0].{name} (app "a"): expected an integer between 0 and 4294967295'
    )


@pytest.mark.parametrize("name", INHERITED_LIMITS)
def test_null_inherits_a_global_limit(name: str, load_document: Load) -> None:
    (app,) = load_document(with_apps({**APP, name: None})).settings.apps

    assert getattr(app, name) is None


def test_other_properties_may_be_null_where_the_original_allows_it(load_document: Load) -> None:
    names = ["enable_user_authentication", "enable_watchlist_events", "webhooks", "allowed_origins"]
    (app,) = load_document(with_apps({**APP, **dict.fromkeys(names)})).settings.apps

    assert not app.enable_user_authentication
    assert (app.webhooks, app.allowed_origins) == ((), ())


@pytest.mark.parametrize("name", ["id", "key", "secret"])
def test_an_app_without_its_identity_is_a_problem(name: str, problems_of: Problems) -> None:
    assert problems_of(with_apps({key: value for key, value in APP.items() if key != name}))[0].endswith(
        ": is required"
    )
    assert problems_of(with_apps({**APP, name: " "}))[0].endswith(": expected a non-empty string, got a string")


def test_origin_patterns_are_checked(problems_of: Problems, load_document: Load) -> None:
    (problem,) = problems_of(with_apps({**APP, "allowed_origins": ["*.a.io", "*..io"]}))

    assert problem.startswith('app_manager.array.apps[0].allowed_origins[1] (app "a"): expected an origin')
    (app,) = load_document(with_apps({**APP, "allowed_origins": ["*.a.io"]})).settings.apps
    assert app.allowed_origins == ("*.a.io",)


def test_apps_of_both_lists_are_joined(load_document: Load) -> None:
    document = {"app_manager": {"array": {"apps": [APP]}, "apps": [{"id": "b", "key": "l", "secret": "s"}]}}

    assert [app.id for app in load_document(document).settings.apps] == ["a", "b"]


def test_apps_that_share_an_id_or_key_are_a_problem(problems_of: Problems) -> None:
    document = {"app_manager": {"array": {"apps": [APP, {**APP, "key": "l"}]}, "apps": [{**APP, "id": "b"}]}}

    assert problems_of(document, {**IDENTITY, "SOCKUDO_DEFAULT_APP_KEY": "l"}) == [
        'app_manager.array.apps[1].id (app "a"): is also the id of app_manager.array.apps[0]',
        "SOCKUDO_DEFAULT_APP_KEY (app_manager.array.apps[2].key): is also the key of app_manager.array.apps[1]",
        'app_manager.apps[0].key (app "b"): is also the key of app_manager.array.apps[0]',
    ]


def test_without_any_configuration_there_is_the_demo_app(load_document: Load) -> None:
    loaded = load_document(flags={"port": "0"})

    (app,) = loaded.settings.apps
    assert (app.id, app.key, app.secret) == ("1", "app-key", "app-secret")
    assert app.enable_client_messages
    assert app.allowed_origins == ()
    assert loaded.settings.uses_demo_app
    assert any("demo app" in warning for warning in loaded.warnings)


def test_with_an_app_there_is_no_demo_app(load_document: Load) -> None:
    loaded = load_document(with_apps(APP))

    assert [app.id for app in loaded.settings.apps] == ["a"]
    assert not loaded.settings.uses_demo_app
    assert loaded.warnings == []


def test_the_environment_can_describe_an_app(load_document: Load) -> None:
    loaded = load_document(with_apps(APP), IDENTITY)

    first, second = loaded.settings.apps
    assert (first.id, second.id, second.key, second.secret) == ("a", "d", "dk", "ds")
    assert {getattr(second, name) for name in [*PLAIN_LIMITS, *INHERITED_LIMITS]} == {100}
    assert second.enabled
    assert not second.enable_client_messages
    assert second.allowed_origins == ()
    assert loaded.sources["app_manager.array.apps.1.key"] == "SOCKUDO_DEFAULT_APP_KEY"


@pytest.mark.parametrize(
    ("variable", "name", "text", "value"),
    [
        *[("SOCKUDO_DEFAULT_APP_" + name.upper(), name, "5", 5) for name in [*PLAIN_LIMITS, *INHERITED_LIMITS]],
        ("SOCKUDO_ENABLE_CLIENT_MESSAGES", "enable_client_messages", "on", True),
        ("SOCKUDO_DEFAULT_APP_ENABLE_USER_AUTHENTICATION", "enable_user_authentication", "1", True),
        ("SOCKUDO_DEFAULT_APP_ENABLE_WATCHLIST_EVENTS", "enable_watchlist_events", "yes", True),
        ("SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS", "allowed_origins", "a.io, *.b.io", ("a.io", "*.b.io")),
    ],
)
def test_every_variable_of_the_default_app_has_its_effect(
    variable: str, name: str, text: str, value: object, load_document: Load
) -> None:
    (app,) = load_document(environ={**IDENTITY, variable: text}).settings.apps

    assert getattr(app, name) == value


@pytest.mark.parametrize("name", sorted(DefaultAppSettings.model_fields.keys() - {"id", "key", "secret"}))
def test_a_wrong_variable_of_the_default_app_is_a_problem(name: str, problems_of: Problems) -> None:
    prefix = "SOCKUDO_" if name == "enable_client_messages" else "SOCKUDO_DEFAULT_APP_"

    (problem,) = problems_of(with_apps(APP), environ={prefix + name.upper(): "**"})

    assert problem.startswith(prefix + name.upper())


def test_a_default_app_beside_a_broken_list_leaves_one_problem(problems_of: Problems) -> None:
    assert problems_of(with_apps() | {"app_manager": {"array": {"apps": 5}}}, IDENTITY) == [
        "app_manager.array.apps: expected a list, got a number"
    ]
    assert problems_of({"app_manager": []}, IDENTITY) == ["app_manager: expected an object, got an empty list"]


def test_a_webhook_is_read(load_document: Load) -> None:
    hook = {
        **HOOK,
        "event_types": list(EVENT_TYPES),
        "headers": {"X-Token": "t"},
        "filter": {
            "channel_type": "private",
            "channel_prefix": "p",
            "channel_suffix": "s",
            "channel_pattern": "^[[a]+$",
        },
    }
    function = {"lambda": {"function_name": "f", "region": "eu-west-1"}, "event_types": ["cache_miss"]}
    legacy = {"lambda_function": "f", "event_types": ["cache_miss"], "headers": None}

    (app,) = load_document(with_apps({**APP, "webhooks": [hook, function, legacy]})).settings.apps

    first, second, third = app.webhooks
    assert (first.url, first.event_types, first.headers) == (HOOK["url"], EVENT_TYPES, {"X-Token": "t"})
    assert first.filter is not None
    assert first.filter.channel_pattern == "^[[a]+$"
    assert second.lambda_ is not None
    assert (second.lambda_.function_name, second.lambda_.region, second.lambda_.invocation_type) == (
        "f",
        "eu-west-1",
        "Event",
    )
    assert (third.lambda_function, third.headers) == ("f", {})


@pytest.mark.parametrize(
    ("change", "place", "text"),
    [
        ({"url": None}, "", "needs either url or lambda"),
        ({"lambda": {"function_name": "f"}}, "", "needs either url or lambda"),
        ({"lambda_function": "f"}, "", "needs either url or lambda"),
        (
            {"url": None, "lambda": {"function_name": "f", "invocation_type": "DryRun"}},
            ".lambda.invocation_type",
            'expected one of "Event", "RequestResponse"',
        ),
        ({"url": "ftp://x"}, ".url", "expected an http or https URL"),
        ({"url": "http://"}, ".url", "expected an http or https URL"),
        ({"url": "http://x:0/"}, ".url", "expected an http or https URL"),
        ({"url": "http://[x"}, ".url", "expected an http or https URL"),
        ({"url": "http://x/a b"}, ".url", "expected an http or https URL"),
        ({"event_types": []}, ".event_types", "expected a list with at least one entry"),
        ({"event_types": ["nope"]}, ".event_types[0]", 'expected one of "channel_occupied", '),
        ({"event_types": "member_added"}, ".event_types", "expected a list, got a string"),
        ({"filter": {"channel_type": "x"}}, ".filter.channel_type", "expected one of"),
        ({"filter": {"channel_pattern": "("}}, ".filter.channel_pattern", "expected a regular expression"),
        ({"filter": {"channel_pattern": "a(?=b)"}}, ".filter.channel_pattern", 'got "a(?=b)": it has a look-ahead'),
        ({"filter": {"channel_pattern": 5}}, ".filter.channel_pattern", "expected a regular expression"),
        ({"filter": {"channel_prefix": 5}}, ".filter.channel_prefix", "expected a non-empty string"),
        ({"filter": []}, ".filter", "expected an object"),
        ({"headers": {"X-A": 5}}, ".headers.X-A", "expected a string without line breaks"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, ".headers.X-A", "expected a string without line breaks"),
        ({"headers": {"X-A": "a\x00"}}, ".headers.X-A", "got a string: it has the character U+0000 at place 2"),
        ({"headers": {"X-A": "a\x1bb"}}, ".headers.X-A", "got a string: it has the character U+001B at place 2"),
        ({"headers": {"X-A": "\x7f"}}, ".headers.X-A", "got a string: it has the character U+007F at place 1"),
        ({"headers": {"X-A": "\x85"}}, ".headers.X-A", "got a string: it has the character U+0085 at place 1"),
        ({"headers": {"X-A\n": "a"}}, '.headers."X-A', "expected the name of a header"),
        ({"headers": {"X:A": "a"}}, '.headers."X:A"', "expected the name of a header"),
        ({"headers": {"": "a"}}, '.headers.""', "expected the name of a header"),
        ({"headers": {"X A": "a"}}, '.headers."X A"', "expected the name of a header"),
        ({"headers": []}, ".headers", "expected an object"),
    ],
)
def test_a_wrong_webhook_is_a_problem_with_its_place(
    change: dict[str, Any], place: str, text: str, problems_of: Problems
) -> None:
    (problem,) = problems_of(with_apps({**APP, "webhooks": [{**HOOK, **change}]}))

    assert problem.startswith(f"app_manager.array.apps[0].webhooks[0]{place}")
    assert text in problem


def test_a_webhook_without_events_is_a_problem(problems_of: Problems) -> None:
    (problem,) = problems_of(with_apps({**APP, "webhooks": [{"url": "http://x"}]}))

    assert problem == 'app_manager.array.apps[0].webhooks[0].event_types (app "a"): is required'


def test_problems_of_a_webhook_and_its_fields_are_reported_together(problems_of: Problems) -> None:
    assert len(problems_of(with_apps({**APP, "webhooks": [{"event_types": ["x", "y"]}]}))) == 3


def test_the_rules_hold_for_settings_that_are_made_by_code() -> None:
    with pytest.raises(ValidationError, match="needs either url or lambda"):
        AppSettings.model_validate({**APP, "webhooks": [{"event_types": ["cache_miss"]}]})
    with pytest.raises(ValidationError, match="is also the id"):
        Settings.model_validate(with_apps(AppSettings(**APP), AppSettings(**APP)))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1
