"""Where settings come from: which file, in which order, and what happens to files that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sockudo.config.load import load
from sockudo.errors import ConfigError

from .conftest import Load, Problems


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def problems_of_file(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, {}, {}, path.parent)
    return caught.value.problems


def test_flags_win_over_the_environment_and_that_over_the_file(load_document: Load) -> None:
    document = {"port": 1, "host": "file", "mode": "file"}
    environ = {"PORT": "2", "HOST": "environment"}

    loaded = load_document(document, environ, {"port": "3", "host": None})

    assert (loaded.settings.port, loaded.settings.host, loaded.settings.mode) == (3, "environment", "file")
    assert loaded.sources == {"port": "--port", "host": "HOST"}


def test_a_wrong_flag_is_a_problem_with_its_name(load_document: Load) -> None:
    with pytest.raises(ConfigError, match=r'^--port \(port\): expected an integer between 0 and 65535, got "x"$'):
        load_document({}, {}, {"port": "x"})


def test_the_name_of_the_original_wins_over_a_documented_alias(load_document: Load) -> None:
    environ = {"ENVIRONMENT": "a", "APP_MODE": "b", "RATE_LIMITER_WEBSOCKET_MAX_REQUESTS": "1"}

    assert load_document(environ=environ).settings.mode == "a"
    both = load_document(environ={**environ, "RATE_LIMITER_WS_MAX_REQUESTS": "2"}).settings
    assert both.rate_limiter.websocket_rate_limit.max_requests == 2


def test_one_variable_can_set_two_settings(load_document: Load) -> None:
    settings = load_document(environ={"CACHE_TTL_SECONDS": "5", "APP_MANAGER_CACHE_TTL": "6"}).settings

    assert (settings.cache.memory.ttl, settings.app_manager.cache.ttl) == (5, 5)


@pytest.mark.parametrize(
    ("environ", "in_file", "debug"),
    [
        ({"DEBUG": "false"}, True, True),
        ({"DEBUG": "true"}, False, True),
        ({"DEBUG_MODE": "false"}, True, False),
        ({"DEBUG_MODE": "true"}, False, True),
        ({"DEBUG": "true", "DEBUG_MODE": "false"}, False, True),
        ({"DEBUG": "false", "DEBUG_MODE": "true"}, False, True),
    ],
)
def test_debug_only_switches_on_and_debug_mode_sets_either_way(
    environ: dict[str, str], in_file: bool, debug: bool, load_document: Load
) -> None:
    assert load_document({"debug": in_file}, environ).settings.debug is debug


def test_the_default_file_is_read_if_it_exists(tmp_path: Path) -> None:
    assert load(None, {}, {}, tmp_path).config_file is None

    path = write(tmp_path / "config/config.json", '{"port": 1}')
    loaded = load(None, {}, {}, tmp_path)

    assert (loaded.config_file, loaded.settings.port) == (path, 1)


def test_the_default_file_may_be_toml(tmp_path: Path) -> None:
    write(tmp_path / "config/config.toml", "port = 1")

    assert load(None, {}, {}, tmp_path).settings.port == 1


def test_a_chosen_file_replaces_the_default_one_completely(tmp_path: Path) -> None:
    write(tmp_path / "config/config.json", '{"port": 1, "mode": "default file"}')
    write(tmp_path / "mine.json", '{"port": 2}')
    write(tmp_path / "theirs.json", '{"port": 3}')

    chosen = load(Path("mine.json"), {"CONFIG_FILE": "theirs.json"}, {}, tmp_path).settings
    named = load(None, {"CONFIG_FILE": "theirs.json"}, {}, tmp_path).settings

    assert (chosen.port, chosen.mode, named.port) == (2, "production", 3)


def test_toml_and_json_of_the_same_settings_are_the_same(tmp_path: Path) -> None:
    document = {
        "port": 7001,
        "instance": {"process_id": "one"},
        "app_manager": {"array": {"apps": [{"id": "a", "key": "k", "secret": "s", "max_connections": "5"}]}},
        "http_api": {"accept_traffic": {"memory_threshold": 0.5}},
        "cors": {"origin": ["https://a.io"]},
    }
    toml = """
        port = 7001
        instance.process_id = "one"
        http_api.accept_traffic.memory_threshold = 0.5
        [[app_manager.array.apps]]
        id = "a"
        key = "k"
        secret = "s"
        max_connections = "5"
        [cors]
        origin = ["https://a.io"]
    """
    json_file = write(tmp_path / "a.json", json.dumps(document))
    toml_file = write(tmp_path / "a.toml", toml)

    assert load(json_file, {}, {}, tmp_path).settings == load(toml_file, {}, {}, tmp_path).settings


@pytest.mark.parametrize("text", ['{"port": 9}', "port = 9"])
def test_other_suffixes_are_tried_as_json_and_as_toml(text: str, tmp_path: Path) -> None:
    assert load(write(tmp_path / "sockudo.conf", text), {}, {}, tmp_path).settings.port == 9


def test_another_suffix_that_is_neither_format_has_both_problems(tmp_path: Path) -> None:
    json_problem, toml_problem = problems_of_file(write(tmp_path / "sockudo.conf", "port: 9"))

    assert "is not valid JSON" in json_problem
    assert "is not valid TOML" in toml_problem


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    assert load(write(tmp_path / "a.json", '\ufeff{"port": 9}'), {}, {}, tmp_path).settings.port == 9


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "missing.json"

    assert problems_of_file(path) == [f"{path}: cannot be read: No such file or directory"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.json", '{"port":\n 1,}', "is not valid JSON: .*\\(line 2, column \\d\\)"),
        ("a.json", '{"port": NaN}', "is not valid JSON: NaN is not a JSON number"),
        ("a.json", '{"port": ' + "1" * 5000 + "}", "is not valid JSON: "),
        ("a.toml", "port =\n", "is not valid TOML: .*line 1, column 7"),
        ("a.json", "[]", "expected an object with settings at the top level"),
        ("a.json", "null", "expected an object with settings at the top level"),
        ("a.json", '{"a":' * 100_000, "is nested too deeply"),
        ("a.toml", "a = " + "[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_parsed_names_the_place(name: str, text: str, problem: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, text)

    with pytest.raises(ConfigError, match=problem) as caught:
        load(path, {}, {}, tmp_path)

    assert all(line.startswith(f"{path}: ") for line in caught.value.problems)


def test_a_file_that_is_not_utf8_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"host": "\xff"}')

    assert problems_of_file(path) == [f"{path}: is not UTF-8 text"]


def test_a_key_that_is_given_twice_names_the_place(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", '{"cors": {"origin": [], "origin": ["*"]}, "port": 1, "port": 2}')

    assert problems_of_file(path) == [f"{path}: cors.origin is given twice", f"{path}: port is given twice"]


def test_every_problem_of_every_source_is_reported_at_once(problems_of: Problems) -> None:
    document: dict[str, Any] = {
        "port": "abc",
        "activity_timeout": -5,
        "cors": {"origin": ["nowhere"]},
        "app_manager": {"driver": "oracle", "array": {"apps": [{"id": "a", "key": "k"}, {"key": "k", "secret": "s"}]}},
    }

    problems = problems_of(document, {"RATE_LIMITER_ENABLED": "maybe", "SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS": "many"})

    assert [problem.partition(": ")[0] for problem in problems] == [
        "port",
        "activity_timeout",
        "app_manager.driver",
        'app_manager.array.apps[0].secret (app "a")',
        "app_manager.array.apps[1].id",
        "app_manager.array.apps[1].key",
        "RATE_LIMITER_ENABLED (rate_limiter.enabled)",
        "cors.origin[0]",
        "SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS (max_connections)",
    ]


def test_a_problem_says_what_was_expected_and_what_was_found(problems_of: Problems) -> None:
    document: dict[str, Any] = {"port": "abc", "host": "", "cors": [], "debug": "yes", "event_limits": None, "mode": {}}

    assert problems_of(document) == [
        'debug: expected true or false, got "yes"',
        "host: expected the name or address of a host, without a scheme or a login, got an empty string",
        'port: expected an integer between 0 and 65535, got "abc"',
        "mode: expected a non-empty string, got an empty object",
        "event_limits: expected an object, got null",
        "cors: expected an object, got an empty list",
    ]


def test_a_long_or_unprintable_value_is_quoted_briefly_and_safely(problems_of: Problems) -> None:
    (problem,) = problems_of({"port": "\x1b[1m\x9b\ud800" + "x" * 500})

    assert problem.isprintable()
    assert len(problem) < 200


def test_a_section_of_the_wrong_kind_hides_no_other_variables(problems_of: Problems) -> None:
    assert problems_of({"cache": 5}, {"CACHE_TTL_SECONDS": "1", "PORT": "x"}) == [
        'PORT (port): expected an integer between 0 and 65535, got "x"',
        "cache: expected an object, got a number",
    ]


def test_the_shipped_file_only_warns_about_its_public_secret() -> None:
    loaded = load(Path("config/config.json"), {}, {}, Path(__file__).parents[2])

    assert loaded.warnings == [
        'app "1" has the secret of the demo app, which is public knowledge: set a secret of your own',
    ]
    assert [app.id for app in loaded.settings.apps] == ["1"]
    assert not loaded.settings.uses_demo_app


def test_ports_that_kubernetes_injects_for_neighbours_are_no_settings(load_document: Load) -> None:
    # The services are called metrics and database-mysql.
    environ = {"METRICS_PORT": "tcp://10.0.0.1:9601", "DATABASE_MYSQL_PORT": "tcp://10.0.0.2:3306"}

    loaded = load_document({"app_manager": {"driver": "mysql"}}, environ)

    assert (loaded.settings.metrics.port, loaded.settings.database.mysql.port, loaded.warnings) == (9601, 3306, [])
