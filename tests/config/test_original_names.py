"""Every key and every variable of the original is known."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.config.environment import read_environment
from sockudo.config.model import Settings
from sockudo.config.sections.default_app import DefaultAppSettings

from .conftest import Load, document_with
from .original_names import DEFAULT_APP_VARIABLES, KEYS, LOG_VARIABLES, OTHER_KEYS

DOCUMENTED_ONLY = {
    "APP_MODE",
    "AWS_REGION",
    "CACHE_REDIS_PREFIX",
    "CACHE_REDIS_URL",
    "DATABASE_MYSQL_USER",
    "DATABASE_POSTGRES_USER",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "NATS_URL",
    "PATH_PREFIX",
    "PROMETHEUS_METRICS_PREFIX",
    "QUEUE_REDIS_URL",
    "RATE_LIMITER_WEBSOCKET_MAX_REQUESTS",
    "RATE_LIMITER_WEBSOCKET_TRUST_HOPS",
    "RATE_LIMITER_WEBSOCKET_WINDOW_SECONDS",
    "SQS_ENDPOINT_URL",
    "SQS_QUEUE_URL_PREFIX",
    "SQS_REGION",
    "SSL_CA_PATH",
    "SSL_PASSPHRASE",
}
VARIABLES = {variable for variables in KEYS.values() for variable in variables}


def test_the_tables_are_complete() -> None:
    everything = VARIABLES | set(LOG_VARIABLES) | set(DEFAULT_APP_VARIABLES)

    assert len(KEYS) == 169
    assert everything > DOCUMENTED_ONLY
    assert len(everything - DOCUMENTED_ONLY - {"RUST_LOG"}) == 130


def default_at(path: str) -> Any:
    value: Any = Settings().model_dump(mode="json")
    value["cluster_health"] = value["adapter"]["cluster_health"]
    for name in path.split("."):
        value = value[name]
    return value


def unknown(warnings: list[str]) -> list[str]:
    return [warning for warning in warnings if warning.startswith("unknown key")]


@pytest.mark.parametrize("path", KEYS)
def test_an_original_key_is_known_and_takes_its_default(path: str, load_document: Load) -> None:
    loaded = load_document(document_with(path, default_at(path)))

    assert unknown(loaded.warnings) == []


@pytest.mark.parametrize("path", OTHER_KEYS)
def test_another_name_of_a_key_is_known(path: str, load_document: Load) -> None:
    loaded = load_document(document_with(path, [] if path == "app_manager.apps" else "http://x"))

    assert unknown(loaded.warnings) == []


@pytest.mark.parametrize("variable", sorted(VARIABLES))
def test_a_variable_of_the_original_sets_all_its_keys(variable: str) -> None:
    found = read_environment(Settings, {variable: "1"})

    expected = {path for path, variables in KEYS.items() if variable in variables}
    # The two connections of the adapter are objects with an address in them.
    assert {".".join(reading.path).removesuffix(".url") for reading in found} == expected
    assert {reading.variable for reading in found} == {variable}


@pytest.mark.parametrize("variable", LOG_VARIABLES)
def test_a_variable_for_the_log_is_known(variable: str) -> None:
    (reading,) = read_environment(Settings, {variable: "info"})

    assert reading.path[0] == "logging"


@pytest.mark.parametrize("variable", DEFAULT_APP_VARIABLES)
def test_a_variable_of_the_default_app_is_known(variable: str) -> None:
    (reading,) = read_environment(DefaultAppSettings, {variable: "1"})

    assert reading.variable == variable


@pytest.mark.parametrize(
    ("path", "first", "second"),
    [
        (path, first, second)
        for path, variables in KEYS.items()
        for first in variables
        for second in variables
        if first not in DOCUMENTED_ONLY and second in DOCUMENTED_ONLY
    ],
)
def test_a_name_that_the_original_reads_wins_over_its_pages(path: str, first: str, second: str) -> None:
    readings = read_environment(Settings, {first: "1", second: "2"})

    assert {reading.variable for reading in readings if ".".join(reading.path) == path} == {first}
