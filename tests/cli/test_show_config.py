"""`check-config --show`: the table, the JSON, and what goes into neither."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sockudo.cli.main import main

DOCUMENT = {
    "port": 7001,
    "prot": 1,
    "database": {"redis": {"password": "TOPSECRET"}},
    "app_manager": {"array": {"apps": [{"id": "chat", "key": "chat-key", "secret": "TOPSECRET"}]}},
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in a directory with a file, and with one variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {"REDIS_URL": "redis://ann:TOPSECRET@h"})
    Path("a.json").write_text(json.dumps(DOCUMENT), encoding="utf-8")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, prog_name="sockudo")

    return invoke


def columns(output: str, setting: str) -> list[str]:
    (line,) = [line for line in output.splitlines() if line.startswith(f"{setting} ")]
    return line.split(maxsplit=2)


def test_the_table_has_each_setting_with_value_and_source(run: Callable[..., Result]) -> None:
    result = run("check-config", "--show", "--workers", "2", "a.json")

    assert result.exit_code == 0
    assert columns(result.stdout, "setting") == ["setting", "value", "from"]
    assert columns(result.stdout, "port") == [
        "port",
        "7001",
        f"file {Path.cwd() / 'a.json'}",
    ]
    assert columns(result.stdout, "workers") == ["workers", "2", "flag --workers"]
    assert columns(result.stdout, "activity_timeout") == ["activity_timeout", "120", "default"]
    assert columns(result.stdout, "cache.redis.url_override")[1:] == [
        '"redis://ann:***@h"',
        "environment REDIS_URL",
    ]
    assert columns(result.stdout, "app_manager.array.apps[0].secret")[1] == '"***"'
    assert "TOPSECRET" not in result.output


def test_warnings_stand_before_the_table(run: Callable[..., Result]) -> None:
    first, second, *_ = run("check-config", "--show", "a.json").stdout.splitlines()

    assert first == "warning: unknown key prot has no effect (did you mean port?)"
    assert second.startswith("setting ")


def test_json_has_the_same_for_programs(run: Callable[..., Result]) -> None:
    result = run("--port", "7002", "check-config", "--show", "--format", "json", "a.json")
    document = json.loads(result.stdout)

    settings = {one.pop("setting"): one for one in document["settings"]}
    assert document["warnings"] == ["unknown key prot has no effect (did you mean port?)"]
    assert settings["port"] == {"value": 7002, "source": "flag", "name": "--port"}
    assert settings["activity_timeout"] == {"value": 120, "source": "default", "name": None}
    assert settings["database.redis.password"]["value"] == "***"
    assert "TOPSECRET" not in result.output


def test_a_value_with_control_characters_cannot_disturb_a_terminal(run: Callable[..., Result]) -> None:
    Path("a.json").write_text(json.dumps({"mode": "\x1b[31m\x9b"}), encoding="utf-8")

    (line,) = [line for line in run("check-config", "--show", "a.json").stdout.splitlines() if line.startswith("mode")]
    assert line.isprintable()


def test_a_problem_is_all_that_is_shown(run: Callable[..., Result]) -> None:
    Path("a.json").write_text(json.dumps(DOCUMENT | {"port": "x"}), encoding="utf-8")
    result = run("check-config", "--show", "a.json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "port: expected an integer" in result.stderr


def test_a_form_without_show_is_a_wrong_command_line(run: Callable[..., Result]) -> None:
    result = run("check-config", "--format", "json", "a.json")

    assert result.exit_code == 2
    assert "--format json is for --show" in result.stderr
