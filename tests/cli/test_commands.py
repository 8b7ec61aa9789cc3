"""The commands: what they print, and the status they exit with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from sockudo import __version__
from sockudo.assembly.cluster import ADAPTERS
from sockudo.assembly.drivers import APP_STORES, CACHES, QUEUES
from sockudo.cli.main import main
from sockudo.config.model import Settings
from sockudo.errors import ConfigError, MissingExtraError
from sockudo.supervisor.reexec import Greeting, Plan
from sockudo.supervisor.task import WORKERS_MARK, workers_text

APPS = {"app_manager": {"array": {"apps": [{"id": "chat", "key": "chat-key", "secret": "TOPSECRET"}]}}}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in an empty directory with an empty environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {})

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, prog_name="sockudo")

    return invoke


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Stand in for the server; collects what it was started with."""
    starts: list[Settings] = []

    def start(settings: Settings, on_start: Callable[[list[tuple[str, int]]], None], **_: object) -> int:
        starts.append(settings)
        on_start([(settings.host, settings.port)])
        return 7

    install(monkeypatch, start)
    return starts


def install(monkeypatch: pytest.MonkeyPatch, start: Callable[..., int]) -> None:
    bootstrap = ModuleType("sockudo.assembly.run")
    bootstrap.run = start  # type: ignore[attr-defined]  # a module made for the test
    monkeypatch.setitem(sys.modules, "sockudo.assembly.run", bootstrap)


def write(name: str, document: object) -> str:
    Path(name).write_text(json.dumps(document), encoding="utf-8")
    return name


@pytest.mark.parametrize("arguments", [["serve", "--config", "a.json"], ["--config", "a.json"], ["-c", "a.json"]])
def test_serve_starts_the_server_and_exits_with_its_status(
    arguments: list[str], run: Callable[..., Result], served: list[Settings]
) -> None:
    write("a.json", {"port": 7001})

    result = run(*arguments)

    assert result.exit_code == 7
    assert [settings.port for settings in served] == [7001]


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--host", "127.0.0.1", "--port", "7002"],
        ["--host", "127.0.0.1", "--port", "7002"],
        ["--port", "7002", "serve", "--host", "127.0.0.1"],
        ["--port", "1", "serve", "--port", "7002", "--host", "127.0.0.1"],
    ],
)
def test_options_win_over_the_file(arguments: list[str], run: Callable[..., Result], served: list[Settings]) -> None:
    Path("config").mkdir()
    write("config/config.json", {"port": 7001, "host": "10.0.0.1"})

    run(*arguments)

    (settings,) = served
    assert (settings.host, settings.port) == ("127.0.0.1", 7002)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["serve", "--workers", "3"], 3),
        (["--workers", "3"], 3),
        (["--workers", "2", "serve", "--workers", "3"], 3),
        (["serve", "--workers", "auto"], 6),
    ],
)
def test_several_workers_are_supervised(
    arguments: list[str],
    count: int,
    run: Callable[..., Result],
    served: list[Settings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plans: list[Plan] = []

    def become_supervisor(plan: Plan, greeting: Greeting) -> int:
        plans.append(plan)
        print(greeting([("127.0.0.1", 7001)]).replace(WORKERS_MARK, workers_text([11, 12])))
        return 5

    monkeypatch.setattr("sockudo.supervisor.reexec.become_supervisor", become_supervisor)
    monkeypatch.setattr("sockudo.cli.serve.usable_cores", lambda: 6)

    result = run(*arguments, "--config", write("a.json", {**APPS, "shutdown_grace_period": 4}))

    assert (result.exit_code, served) == (5, [])
    (plan,) = plans
    assert (plan.host, plan.port, plan.count, plan.balanced, plan.grace) == ("0.0.0.0", 6001, count, True, 4)
    assert list(plan.command) == [sys.executable, *sys.orig_argv[1:]]
    assert "2 (processes 11, 12)" in result.stdout


def test_auto_on_one_core_needs_no_supervisor(
    run: Callable[..., Result], served: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sockudo.cli.serve.usable_cores", lambda: 1)

    assert run("serve", "--workers", "auto").exit_code == 7
    assert len(served) == 1


def test_a_wrong_number_of_workers_is_a_problem(run: Callable[..., Result]) -> None:
    result = run("serve", "--workers", "many")

    assert result.exit_code == 2
    assert '--workers (workers): expected an integer between 1 and 1024 or "auto", got "many"' in result.stderr


def test_serve_prints_every_problem_to_stderr_and_exits_with_2(
    run: Callable[..., Result], served: list[Settings]
) -> None:
    result = run("--config", write("a.json", {"port": "x", "debug": 5}))

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "The configuration has 2 problems:",
        "  debug: expected true or false, got 5",
        '  port: expected an integer between 0 and 65535, got "x"',
    ]
    assert served == []


def test_a_missing_file_is_one_problem(run: Callable[..., Result]) -> None:
    result = run("serve", "--config", "missing.json")

    assert result.exit_code == 2
    assert result.stderr.startswith("The configuration has 1 problem:\n")
    assert "missing.json: cannot be read" in result.stderr


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigError(["cache.driver: not reachable"]), "  cache.driver: not reachable\n"),
        (MissingExtraError("install sockudo[redis]"), "The server cannot start: install sockudo[redis]\n"),
    ],
)
def test_a_server_that_cannot_start_says_why_and_exits_2(
    error: Exception, text: str, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_settings: Settings, _on_start: object, **_: object) -> int:
        raise error

    install(monkeypatch, fail)
    result = run("serve")

    assert result.exit_code == 2
    assert result.stderr.endswith(text)


def test_check_config_prints_ok_and_a_summary_without_secrets(run: Callable[..., Result]) -> None:
    result = run("check-config", write("a.json", {**APPS, "port": 7001, "path_prefix": "live"}))

    assert result.exit_code == 0
    assert result.stdout.startswith("OK\n")
    assert "0.0.0.0:7001/live" in result.stdout
    assert "chat (key chat-key)" in result.stdout
    assert "a.json" in result.stdout
    assert "TOPSECRET" not in result.output


def test_check_config_prints_warnings_first(run: Callable[..., Result]) -> None:
    result = run("check-config", write("a.json", {**APPS, "prot": 1}))

    assert result.exit_code == 0
    assert result.stdout.startswith("warning: unknown key prot has no effect (did you mean port?)\nOK\n")


def test_check_config_exits_with_2_on_problems(run: Callable[..., Result]) -> None:
    result = run("check-config", write("a.json", {"port": -1}))

    assert result.exit_code == 2
    assert "OK" not in result.output
    assert "port: expected an integer between 0 and 65535, got -1" in result.stderr


@pytest.mark.parametrize(
    ("adapter", "problem"),
    [
        ({"driver": "redis-cluster"}, "adapter.cluster.nodes or database.redis.cluster_nodes: adapter.driver"),
        ({"driver": "redis", "redis": {"redis_pub_options": {"url": "h:1"}}}, "redis_pub_options.url: expected a URL"),
        ({"driver": "redis-cluster", "cluster": {"nodes": ["h:x"]}}, "adapter.cluster.nodes[0]: expected the address"),
        ({"driver": "nats", "nats": {"servers": ["http://h"]}}, "adapter.nats.servers[0]: expected the address"),
    ],
)
def test_check_config_finds_problems_the_adapter_would_refuse(
    adapter: dict[str, object], problem: str, run: Callable[..., Result]
) -> None:
    result = run("check-config", write("a.json", {**APPS, "adapter": adapter}))

    assert result.exit_code == 2
    assert problem in result.stderr


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"cache": {"driver": "redis-cluster"}}, "database.redis.cluster_nodes: cache.driver redis-cluster needs"),
        ({"cache": {"driver": "redis", "redis": {"cluster_mode": True}}}, "cluster_nodes: cache.redis.cluster_mode"),
        (
            {"rate_limiter": {"enabled": True, "driver": "redis-cluster"}},
            "database.redis.cluster_nodes: rate_limiter.driver redis-cluster needs",
        ),
        ({"queue": {"driver": "redis-cluster"}}, "database.redis.cluster_nodes: queue.driver redis-cluster needs"),
    ],
)
def test_check_config_finds_problems_a_store_would_refuse(
    section: dict[str, object], problem: str, run: Callable[..., Result]
) -> None:
    result = run("check-config", write("a.json", {**APPS, **section, "adapter": {"driver": "redis-cluster"}}))

    assert result.exit_code == 2
    assert problem in result.stderr
    # Every part is looked at, whatever the others lack.
    assert "adapter.driver redis-cluster needs" in result.stderr
    assert "The configuration has 2 problems:" in result.stderr


@pytest.mark.parametrize(
    ("drivers", "section"),
    [(CACHES, {"cache": {"driver": "redis"}}), (QUEUES, {"queue": {"driver": "redis"}})],
)
def test_check_config_says_which_extra_a_store_misses(
    drivers: dict[str, str], section: dict[str, object], run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(drivers, "redis", "absent_library.driver:Store")

    result = run("check-config", write("a.json", {**APPS, **section}))

    assert result.exit_code == 2
    assert "driver redis needs absent_library: pip install 'sockudo[redis]'" in result.stderr


def test_check_config_names_the_extra_that_an_apps_functions_need(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sockudo.assembly.drivers.LAMBDA", "absent_library.driver:Functions")
    hook = {"lambda": {"function_name": "f"}, "event_types": ["client_event"]}
    app = {**APPS["app_manager"]["array"]["apps"][0], "webhooks": [hook]}

    result = run("check-config", write("a.json", {"app_manager": {"apps": [app]}}))

    assert result.exit_code == 2
    assert "absent_library" in result.stderr


def test_check_config_says_which_extra_the_adapter_misses(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ADAPTERS, "redis", ADAPTERS["redis"]._replace(class_path="absent_library.driver:RedisAdapter"))

    result = run("check-config", write("a.json", {**APPS, "adapter": {"driver": "redis"}}))

    assert result.exit_code == 2
    assert "adapter.driver redis needs absent_library: pip install 'sockudo[redis]'" in result.stderr


def test_check_config_says_which_extra_the_database_of_apps_misses(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(APP_STORES, "mysql", "absent_library.driver:Store")

    result = run("check-config", write("a.json", {"app_manager": {"driver": "mysql"}}))

    assert result.exit_code == 2
    assert "app_manager.driver mysql needs absent_library: pip install 'sockudo[mysql]'" in result.stderr


def test_check_config_says_where_apps_are_and_their_database_lacks(run: Callable[..., Result]) -> None:
    result = run("check-config", write("a.json", {"app_manager": {"driver": "sqlite"}}))
    assert "  apps         those in sqlite file sockudo.db\n" in result.stdout

    scylla = {"app_manager": {"driver": "scylla"}, "database": {"scylladb": {"nodes": ["a:1", "b:2"]}}}
    result = run("check-config", write("a.json", scylla))
    assert result.exit_code == 2
    assert "database.scylladb.nodes: all nodes must have one port" in result.stderr


def test_check_config_without_a_file_checks_what_serve_would_use(run: Callable[..., Result]) -> None:
    assert "none, only defaults and the environment" in run("check-config").stdout

    assert "a.json" in run("--config", write("a.json", APPS), "check-config").stdout


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_printed(option: str, run: Callable[..., Result]) -> None:
    result = run(option)

    assert (result.exit_code, result.stdout) == (0, f"sockudo {__version__}\n")


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["serve", "-h"], ["check-config", "--help"]])
def test_help_is_printed(arguments: list[str], run: Callable[..., Result]) -> None:
    result = run(*arguments)

    assert result.exit_code == 0
    assert "Usage: sockudo" in result.stdout


@pytest.mark.parametrize("arguments", [["--nope"], ["nope"], ["serve", "--nope"]])
def test_a_wrong_command_line_exits_with_2(arguments: list[str], run: Callable[..., Result]) -> None:
    assert run(*arguments).exit_code == 2


def test_the_real_process_checks_a_file_with_its_environment(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(APPS), encoding="utf-8")
    command = [sys.executable, "-m", "sockudo", "check-config", str(path)]

    fine = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PORT": "7009"}, check=False)
    wrong = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PORT": "x"}, check=False)

    assert (fine.returncode, fine.stderr) == (0, "")
    assert "0.0.0.0:7009" in fine.stdout
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "PORT (port): expected an integer between 0 and 65535" in wrong.stderr


@pytest.mark.parametrize("text", ["text", "pretty", "plain"])
def test_the_log_format_of_the_originals_example_is_taken(text: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sockudo", "check-config", "--show"]
    environ = {**os.environ, "LOG_FORMAT": text}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=tmp_path, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r'logging\.output_format +"human" +environment LOG_FORMAT\n', done.stdout)
