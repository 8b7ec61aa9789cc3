"""Variables that nothing reads: a warning with the nearest name, an error where one would have kept somebody out."""

from __future__ import annotations

import pytest

from sockudo.config.environment import variables_of
from sockudo.config.model import Settings
from sockudo.config.sections.default_app import DefaultAppSettings

from .conftest import Load, Problems, document_with

WHOLE = {"SOCKUDO_DEFAULT_APP_ID": "d", "SOCKUDO_DEFAULT_APP_KEY": "k", "SOCKUDO_DEFAULT_APP_SECRET": "s"}


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("SOCKUDO_MAX_CONECTIONS", "SOCKUDO_MAX_CONNECTIONS"),
        ("SOCKUDO_DEFAULT_APP_MAX_CONECTIONS", "SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS"),
        ("SOCKUDO_DEFAULT_APP_MAX_EVENTS_BATCH_SIZE", "SOCKUDO_DEFAULT_APP_MAX_EVENT_BATCH_SIZE"),
        ("SOCKUDO_DEFAULT_APP_ENABLE_CLIENT_MESSAGES", "SOCKUDO_ENABLE_CLIENT_MESSAGES"),
        ("SOCKUDO_ENABLE_CLIENT_MESAGES", "SOCKUDO_ENABLE_CLIENT_MESSAGES"),
        ("sockudo_log_prod", "SOCKUDO_LOG_PROD"),
        ("SOCKUDO_ADAPTER_DRIVER", "ADAPTER_DRIVER"),
        ("SOKETI_ADAPTER_DRIVER", "ADAPTER_DRIVER"),
        ("SOKETI_DEFAULT_APP_MAX_CONNS", "SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS"),
        ("SOKETI_PORT", "PORT"),
        ("REVERB_APP_ID", "SOCKUDO_DEFAULT_APP_ID"),
        ("REVERB_SERVER_PORT", None),
        ("SOCKUDO_ENTIRELY_DIFFERENT", None),
        ("SOCKUDO_ENABLED", "SOCKUDO_DEFAULT_APP_ENABLED"),
        ("SOCKUDO_DEFAULT_APP_HISTORY_ENABLED", None),
    ],
)
def test_an_unread_variable_is_a_warning_with_the_nearest_name(
    variable: str, meant: str | None, load_document: Load
) -> None:
    (warning,) = load_document(environ={**WHOLE, variable: "hush"}).warnings

    assert f"variable {variable} has no effect" in warning
    assert (f"(did you mean {meant}?)" in warning) if meant else ("did you mean" not in warning)
    assert "hush" not in warning


def test_a_variable_of_another_server_is_said_to_be_its(load_document: Load) -> None:
    first, second = load_document(environ={**WHOLE, "SOKETI_DEBUG": "1", "REVERB_SERVER_HOST": "::"}).warnings

    assert first.endswith("this server does not read those of Laravel Reverb; see sockudo import-config reverb")
    assert second.endswith("this server does not read those of soketi; see sockudo import-config soketi")


@pytest.mark.parametrize("variable", ["SOCKUDO_DEFAULT_APP_ANNOTATIONS_ENABLED"])
def test_a_setting_that_this_version_lacks_is_a_warning(variable: str, load_document: Load) -> None:
    (warning,) = load_document(environ={**WHOLE, variable: "true"}).warnings

    assert warning == f"variable {variable} has no effect: this version does not have that setting of Sockudo yet"


@pytest.mark.parametrize(
    "environ",
    [
        *({name: "10.0.0.1"} for name in ("SOCKUDO_SERVICE_HOST", "SOKETI_SERVICE_HOST", "REVERB_SERVICE_HOST")),
        {"SOCKUDO_SERVICE_PORT": "6001", "SOCKUDO_SERVICE_PORT_HTTP": "6001", "SOKETI_SERVICE_PORT_WS": "6001"},
        dict.fromkeys(("SOCKUDO_PORT", "SOKETI_PORT", "REVERB_PORT", "SOCKUDO_APP_PORT"), "tcp://10.0.0.1:6001"),
        {"SOCKUDO_PORT_6001_TCP": "tcp://10.0.0.1:6001", "SOKETI_PORT_6001_TCP_ADDR": "10.0.0.1"},
        {"SOCKUDO_PORT_6001_TCP_PROTO": "tcp", "SOCKUDO_PORT_6001_TCP_PORT": "6001"},
        # Services that are called sockudo-app and sockudo-metrics.
        {"SOCKUDO_APP_SERVICE_HOST": "10.0.0.1", "SOCKUDO_METRICS_PORT_9601_TCP_PORT": "9601"},
        {"SOCKUDO_ENTIRELY_DIFFERENT": " "},
        {"_SOCKUDO_WORKER_OF_MINE": "1", "VITE_REVERB_APP_KEY": "x", "OTHER": "1"},
    ],
)
def test_what_kubernetes_injects_is_no_warning(environ: dict[str, str], load_document: Load) -> None:
    assert load_document(environ={**WHOLE, **environ}).warnings == []
    assert load_document(environ=environ).settings.uses_demo_app


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("SOCKUDO_DEFAULT_APP_ALLOWED_ORIGIN", "SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS"),
        ("SOCKUDO_DEFAULT_APP_ALOWED_ORIGINS", "SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS"),
        ("SOCKUDO_DEFAULT_APP_ORIGINS", "remove it"),
        ("SOCKUDO_ALLOWED_ORIGINS", "SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS"),
        ("SOCKUDO_ENABLE_USER_AUTHENTICATION", "SOCKUDO_DEFAULT_APP_ENABLE_USER_AUTHENTICATION"),
        ("SOCKUDO_CORS_ORIGINS", "CORS_ORIGINS"),
        ("SOCKUDO_APP_ALLOWED_ORIGINS", "SOCKUDO_DEFAULT_APP_ALLOWED_ORIGINS"),
        ("SOCKUDO_DEFAULT_APP_ENABLE", "SOCKUDO_DEFAULT_APP_ENABLED"),
        ("SOCKUDO_DEFAULT_APP_DISABLED", "remove it"),
        ("SOCKUDO_DEFAULT_APP_USER_AUTHENTICATION", "SOCKUDO_DEFAULT_APP_ENABLE_USER_AUTHENTICATION"),
        ("SOCKUDO_DEFAULT_APP_ENABLE_USER_AUTHENTIFICATION", "SOCKUDO_DEFAULT_APP_ENABLE_USER_AUTHENTICATION"),
    ],
)
def test_a_misspelt_restriction_in_variables_stops_the_start(
    variable: str, meant: str, problems_of: Problems, load_document: Load
) -> None:
    (problem,) = problems_of(environ={**WHOLE, variable: "hush"})

    assert problem.startswith(f"{variable}: nothing reads this variable, and what it restricts would be open; ")
    assert meant in problem
    assert "hush" not in problem
    assert load_document(environ={**WHOLE, variable: ""}).warnings == []


def test_a_variable_that_something_reads_is_no_warning(load_document: Load) -> None:
    for variable in {*variables_of(Settings), *variables_of(DefaultAppSettings)}:
        if variable.startswith("SOCKUDO_"):
            text = {"SOCKUDO_SERVER_ROLE": "default"}.get(variable, "info" if "LOG" in variable else "1")
            assert load_document(environ={**WHOLE, variable: text}).warnings == []


def test_a_variable_that_the_file_names_is_no_warning(load_document: Load) -> None:
    app = {"id": "a", "key": "k", "secret": "${SOCKUDO_APP_SECRET:-x}"}

    assert load_document(document_with("app_manager.array.apps", [app]), {"SOCKUDO_APP_SECRET": "s"}).warnings == []
