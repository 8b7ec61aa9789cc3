"""An app in variables: whole, in part, none, or with names that nothing reads, and what is served then."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.config.effective import effective

from .conftest import Load, Problems, document_with

ID, KEY, SECRET = "SOCKUDO_DEFAULT_APP_ID", "SOCKUDO_DEFAULT_APP_KEY", "SOCKUDO_DEFAULT_APP_SECRET"
WHOLE = {ID: "d", KEY: "dk", SECRET: "hush"}
APP: dict[str, Any] = {"id": "a", "key": "k", "secret": "s"}
FILE = document_with("app_manager.array.apps", [APP])
OFF = {"SOCKUDO_DEFAULT_APP_ENABLED": "false"}

INCOMPLETE = [
    {ID: "hush"},
    {KEY: "hush", SECRET: "hush"},
    {ID: "hush", KEY: "hush", SECRET: ""},
    {ID: "hush", KEY: "hush", SECRET: "  \t"},
    {ID: " ", KEY: "hush", SECRET: "hush"},
    {"SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS": "5"},
    {"SOCKUDO_DEFAULT_APP_ENABLED": "true"},
    {"SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS": "a.io"},
    {"SOCKUDO_DEFAULT_APP_WEBHOOKS": "hush"},
    {ID: "hush", KEY: "hush", "SOCKUDO_DEFAULT_APP_SECERT": "hush"},
    {"sockudo_default_app_id": "hush", "sockudo_default_app_key": "hush", "sockudo_default_app_secret": "hush"},
]
ALONE = [
    {ID: "", KEY: "", SECRET: ""},
    {"SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS": ""},
    {"SOCKUDO_ENABLE_CLIENT_MESSAGES": "true"},
    {"SOCKUDO_APP_ID": "hush", "SOCKUDO_APP_KEY": "hush", "SOCKUDO_APP_SECRET": "hush"},
    {"SOCKUDO_APPS": "hush"},
    {"SOCKUDO_ID": "hush", "SOCKUDO_KEY": "hush", "SOCKUDO_SECRET": "hush"},
    {"SOCKUDO_DEFAULT_KEY": "hush"},
    {"SOCKUDO_DEFAULT_APPID": "hush"},
    {"SOCKUDO_DEFAULTAPP_SECRET": "hush"},
    {"SOCKUDO_APPKEY": "hush"},
    {"SOKETI_DEFAULT_APP_ID": "hush", "SOKETI_DEFAULT_APP_KEY": "hush", "SOKETI_DEFAULT_APP_SECRET": "hush"},
    {"SOKETI_APP_ID": "hush"},
    {"SOKETI_DEFAULT_APP_SECRET": ""},
    {"REVERB_APP_ID": "hush", "REVERB_APP_KEY": "hush", "REVERB_APP_SECRET": "hush"},
]


@pytest.mark.parametrize("environ", [*INCOMPLETE, *ALONE], ids=lambda environ: "+".join(environ))
@pytest.mark.parametrize("document", [None, {}, {"port": 7001}, document_with("app_manager.array.apps", [])])
def test_an_incomplete_app_in_variables_stops_the_start(
    environ: dict[str, str], document: Any, problems_of: Problems
) -> None:
    text = "\n".join(problems_of(document, environ))

    for name in [*environ, ID, KEY, SECRET]:
        assert name in text
    assert "hush" not in text


@pytest.mark.parametrize("environ", INCOMPLETE, ids=lambda environ: "+".join(environ))
@pytest.mark.parametrize("driver", ["memory", "sqlite"])
def test_an_incomplete_app_beside_a_file_stops_the_start(
    environ: dict[str, str], driver: str, problems_of: Problems
) -> None:
    document = {"app_manager": {"driver": driver, "apps": [APP]}}

    assert any(ID in problem for problem in problems_of(document, environ))


@pytest.mark.parametrize("environ", ALONE, ids=lambda environ: "+".join(environ))
@pytest.mark.parametrize("whole", [{}, WHOLE])
def test_variables_of_others_do_not_stop_a_configured_server(
    environ: dict[str, str], whole: dict[str, str], load_document: Load
) -> None:
    settings = load_document(None if whole else FILE, {**environ, **whole}).settings

    assert [app.id for app in settings.apps] == ["d" if whole else "a"]


def test_the_error_names_what_is_missing_and_what_was_meant(problems_of: Problems) -> None:
    environ = {ID: "1", KEY: "", "SOCKUDO_DEFAULT_APP_SECERT": "hush"}

    assert problems_of(environ=environ) == [
        f"{ID}, SOCKUDO_DEFAULT_APP_SECERT, {KEY}: an app from the environment needs {ID}, {KEY} and {SECRET}; "
        f"{KEY} is empty; {SECRET} is not set; SOCKUDO_DEFAULT_APP_SECERT is not read: did you mean {SECRET}?"
    ]


@pytest.mark.parametrize(
    ("document", "environ"),
    [
        ({}, {}),
        ({"port": 7001}, {}),
        (document_with("app_manager.array.apps", []), {}),
        (document_with("app_manager.array.apps", None), {}),
        (document_with("app_manager.apps", []), {}),
        (document_with("app_manager.array", {}), {}),
        ({"apps": []}, {}),
        (None, OFF),
        (None, {**WHOLE, **OFF}),
        (None, {ID: "d", **OFF}),
        ({}, {**WHOLE, **OFF}),
        (None, {"PUSHER_APP_ID": "1", "PUSHER_APP_KEY": "hush", "PUSHER_APP_SECRET": "hush"}),
        (None, {"PUSHER_KEY": "hush", "PUSHER_SECRET": "hush"}),
        (None, {"DEFAULT_APP_ID": "1", "DEFAULT_APP_KEY": "hush", "DEFAULT_APP_SECRET": "hush"}),
        (None, {"SOKUDO_DEFAULT_APP_ID": "1", "default_app_key": "hush"}),
        (None, {"SOKETI_APP_MANAGER_DRIVER": "mysql"}),
    ],
)
def test_a_configuration_without_an_app_serves_none(
    document: Any, environ: dict[str, str], load_document: Load
) -> None:
    loaded = load_document(document, environ)

    assert loaded.settings.apps == ()
    assert not loaded.settings.uses_demo_app
    assert any(warning.startswith("no app is configured, so no client can connect") for warning in loaded.warnings)
    assert "hush" not in " ".join(loaded.warnings)


def test_a_publishers_variables_are_named_where_no_app_exists(load_document: Load) -> None:
    warnings = load_document(environ={"PUSHER_APP_KEY": "x", "PUSHER_APP_ID": "1"}).warnings

    assert warnings[0].startswith("PUSHER_APP_ID, PUSHER_APP_KEY: this server does not read an app from these")
    assert load_document(FILE, {"PUSHER_APP_KEY": "x"}).warnings == []


def test_other_settings_are_no_configuration_of_an_app(load_document: Load) -> None:
    environ = {"PORT": "7001", "ADAPTER_DRIVER": "local", "PUSHER_APP_ID": "", "SOCKUDO_LOG_PROD": "info"}

    assert load_document(environ=environ, flags={"host": "127.0.0.1", "workers": "2"}).settings.uses_demo_app


def test_an_app_database_means_no_demo_app_and_no_warning(load_document: Load) -> None:
    documents: tuple[Any, ...] = (None, {})
    for document in documents:
        loaded = load_document(document, {"APP_MANAGER_DRIVER": "sqlite"})
        assert loaded.settings.apps == ()
        assert loaded.warnings == []


@pytest.mark.parametrize("place", ["app_manager.array.apps", "app_manager.apps"])
def test_variables_override_the_app_of_the_file_with_that_id(place: str, load_document: Load) -> None:
    in_file = {**APP, "max_connections": 7, "max_event_batch_size": 3, "allowed_origins": ["a.io"], "enabled": True}
    environ = {ID: "a", KEY: "k2", SECRET: "s2", "SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS": "9"}

    loaded = load_document(document_with(place, [{**APP, "id": "b", "key": "kb"}, in_file]), environ)

    _, app = loaded.settings.apps
    assert (app.id, app.key, app.secret, app.max_connections) == ("a", "k2", "s2", 9)
    # What no variable sets stays as the file has it.
    assert (app.max_event_batch_size, app.allowed_origins, app.max_channel_name_length) == (3, ("a.io",), None)
    sources = {one.path: (one.source, one.name) for one in effective(loaded)}
    assert sources[f"{place}[1].secret"] == ("environment", SECRET)
    assert sources[f"{place}[1].max_connections"] == ("environment", "SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS")
    assert sources[f"{place}[1].allowed_origins"] == ("file", str(loaded.config_file))
    assert sources[f"{place}[1].id"] == ("file", str(loaded.config_file))
    assert sources[f"{place}[1].max_event_name_length"] == ("default", None)
    assert sources[f"{place}[0].key"] == ("file", str(loaded.config_file))


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("SOCKUDO_ENABLE_CLIENT_MESSAGES", "true", "enable_client_messages", True),
        ("SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS", "b.io, c.io", "allowed_origins", ("b.io", "c.io")),
        ("SOCKUDO_DEFAULT_APP_ENABLED", "no", "enabled", False),
        ("SOCKUDO_DEFAULT_APP_ENABLE_USER_AUTHENTICATION", "on", "enable_user_authentication", True),
    ],
)
def test_a_variable_overrides_its_property_of_the_files_app(
    variable: str, text: str, name: str, value: object, load_document: Load
) -> None:
    (app,) = load_document(FILE, {**WHOLE, ID: "a", variable: text}).settings.apps

    assert getattr(app, name) == value


def test_a_variables_key_may_not_be_that_of_another_app(problems_of: Problems) -> None:
    document = document_with("app_manager.array.apps", [APP, {"id": "b", "key": "kb", "secret": "s"}])

    assert problems_of(document, {ID: "a", KEY: "kb", SECRET: "s"}) == [
        'app_manager.array.apps[1].key (app "b"): is also the key of app_manager.array.apps[0]'
    ]


def test_a_variable_used_by_a_file_makes_no_app(load_document: Load) -> None:
    document = document_with("app_manager.array.apps", [{**APP, "secret": "${SOCKUDO_DEFAULT_APP_SECRET}"}])

    loaded = load_document(document, {SECRET: "hush", "SOCKUDO_APP_ID": "hush"})

    assert [app.id for app in loaded.settings.apps] == ["a"]


@pytest.mark.parametrize("text", [",", " , ", ",,"])
def test_commas_alone_are_no_list_that_allows_everything(text: str, problems_of: Problems) -> None:
    variable = "SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS"
    restricted = document_with("app_manager.array.apps", [APP | {"allowed_origins": ["a.io"]}])

    for document, whole in (({}, WHOLE), (restricted, {**WHOLE, ID: "a"})):
        (problem,) = problems_of(document, {**whole, variable: text})
        assert problem.startswith(variable)
        assert problem.endswith("it is empty")
    (problem,) = problems_of({"cors": {"origin": ["https://a.io"]}}, {**WHOLE, "CORS_ORIGINS": text})
    assert problem.startswith("CORS_ORIGINS")


def test_an_empty_origins_variable_warns_where_all_may_connect(load_document: Load) -> None:
    environ = {**WHOLE, "SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS": " "}
    restricted = document_with("app_manager.array.apps", [APP | {"id": "d", "allowed_origins": ["a.io"]}])

    (warning,) = load_document(environ=environ).warnings
    assert warning == (
        "SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS is empty, so every origin may connect; set it to * if that is meant"
    )
    assert load_document(restricted, environ).warnings == []
    assert load_document(FILE, {"SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS": ""}).warnings == []
