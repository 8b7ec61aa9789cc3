"""`sockudo apps`: what the commands print, do to a database, and exit with."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sockudo.assembly.drivers import APP_STORES
from sockudo.cli.main import main

Run = Callable[..., Result]

WEBHOOK = {"url": "https://hook.example/SECRET-PATH", "event_types": ["channel_occupied"]}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in a directory whose configuration names a SQLite file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {})
    configure({"app_manager": {"driver": "sqlite"}, "database": {"sqlite": {"path": "apps.db"}}})

    def invoke(*arguments: str, **more: Any) -> Result:
        return CliRunner().invoke(main, ["apps", *arguments], prog_name="sockudo", **more)

    return invoke


def configure(document: object) -> None:
    Path("config").mkdir(exist_ok=True)
    Path("config/config.json").write_text(json.dumps(document), encoding="utf-8")


def rows(columns: str = "*") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect("apps.db")) as connection:
        return connection.execute(f"SELECT {columns} FROM applications ORDER BY id").fetchall()


def created(run: Run, *arguments: str) -> dict[str, str]:
    result = run("create", "--format", "json", *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, str] = json.loads(result.stdout)
    return found


def test_migrating_makes_the_table_says_so_and_does_it_once(run: Run) -> None:
    result = run("migrate")
    assert (result.exit_code, result.output) == (0, "Made the table applications\n")
    result = run("migrate")
    assert (result.exit_code, result.output) == (0, "Nothing to do: everything is there.\n")


def test_migrating_adds_what_a_table_lacks(run: Run) -> None:
    with closing(sqlite3.connect("apps.db")) as connection:
        connection.execute("CREATE TABLE applications (id, key, secret, max_connections)")
    result = run("migrate")
    assert result.exit_code == 0
    assert "Added the column webhooks to the table applications\n" in result.output
    assert "max_connections" not in result.output


def test_an_app_is_generated_and_its_credentials_shown_once(run: Run) -> None:
    result = run("create")
    assert result.exit_code == 0
    shown = dict(line.split() for line in result.stdout.splitlines())
    assert list(shown) == ["id:", "key:", "secret:"]
    assert rows("id, key, secret") == [tuple(shown.values())]
    assert len(shown["key:"]) == 20
    assert len(shown["secret:"]) == 32
    for form in ("table", "json"):
        listed = run("list", "--format", form).output
        assert shown["id:"] in listed
        assert shown["key:"] in listed
        assert shown["secret:"] not in listed
    assert created(run)["id"] != shown["id:"]


def test_an_app_is_made_as_it_is_described(run: Run) -> None:
    made = created(run, "--id", "chat", "--key", "k", "--secret", "s", "--set", "max_connections=7",
                   "--set", "enable_client_messages=yes", "--set", "allowed_origins=a.example, *.b.example",
                   "--set", f"webhooks={json.dumps([WEBHOOK])}", "--set", "max_event_batch_size=")  # fmt: skip
    assert made == {"id": "chat", "key": "k", "secret": "s"}
    ((connections, messages, origins, webhooks, batch),) = rows(
        "max_connections, enable_client_messages, allowed_origins, webhooks, max_event_batch_size"
    )
    assert (connections, messages, json.loads(origins), json.loads(webhooks), batch) == (
        7,
        1,
        ["a.example", "*.b.example"],
        [WEBHOOK],
        None,
    )


def test_an_identity_may_be_set_as_every_other_property(run: Run) -> None:
    made = created(run, "--set", "id=chat", "--set", "key=k", "--set", "secret=s")
    assert made == {"id": "chat", "key": "k", "secret": "s"}
    assert rows("id, key, secret") == [("chat", "k", "s")]
    result = run("create", "--id", "other", "--set", "id=another")
    assert result.exit_code == 2
    assert "--id and --set id=... exclude each other" in result.stderr
    assert len(rows()) == 1


def test_without_a_bus_servers_notice_a_change_later(run: Run) -> None:
    # That there is no such app is kept for a moment only.
    assert run("create", "--id", "1").stderr == "Servers that are running notice it within 5 s.\n"
    noticed = "Servers that are running notice it within 300 s (app_manager.cache.ttl).\n"
    assert run("update", "1", "--set", "max_connections=1").stderr == noticed
    document = json.loads(Path("config/config.json").read_text())
    document["app_manager"]["cache"] = {"enabled": False}
    configure(document)
    assert run("create").stderr == "Servers that are running notice it at once.\n"


def test_an_unreachable_bus_is_told_and_the_change_stays(run: Run) -> None:
    document = json.loads(Path("config/config.json").read_text())
    url = {"redis_pub_options": {"url": "redis://127.0.0.1:1"}, "requests_timeout": 500}
    configure(document | {"adapter": {"driver": "redis", "redis": url}})
    result = run("create", "--id", "chat")
    assert result.exit_code == 0
    assert result.stderr.startswith("The nodes could not be told, and notice it within 5 s: ")
    assert "redis_pub_options.url" in result.stderr
    assert rows("id") == [("chat",)]


def test_ids_and_keys_are_taken_once(run: Run) -> None:
    created(run, "--id", "chat", "--key", "k")
    for arguments, name in (("--id", "chat"), "id chat"), (("--key", "k"), "key k"):
        result = run("create", *arguments)
        assert (result.exit_code, result.stderr) == (1, f"There is an app with the {name} already.\n")
    created(run, "--id", "other")
    result = run("update", "other", "--set", "key=k")
    assert (result.exit_code, result.stderr) == (1, "There is an app with the key k already.\n")
    assert len(rows()) == 2


def test_properties_are_changed_and_all_others_stay(run: Run) -> None:
    created(run, "--id", "chat", "--key", "k", "--secret", "s", "--set", "max_connections=7", "--set", "enabled=no")
    result = run("update", "chat", "--set", "enabled=true", "--set", "max_event_batch_size=5", "--set", "secret=new")
    assert (result.exit_code, result.stdout) == (0, "Updated chat.\n")
    columns = "key, secret, enabled, max_connections, max_event_batch_size"
    assert rows(columns) == [("k", "new", 1, 7, 5)]
    assert run("update", "chat", "--set", "max_event_batch_size=null", "--set", "max_connections=").exit_code == 0
    assert rows(columns) == [("k", "new", 1, 0, None)]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("colour=red", "colour: an app has no such property; use one of id, key, secret, enabled"),
        ("max_connections=many", 'max_connections: expected an integer between 0 and 4294967295, got "many"'),
        ("enabled=perhaps", 'enabled: expected true or false, got "perhaps"'),
        ("webhooks=[nonsense", "webhooks: expected JSON"),
        ('webhooks=[{"url": "https://a.example"}]', "webhooks[0].event_types: is required"),
        ("allowed_origins=http://", "allowed_origins[0]: expected an origin"),
        ("allowed_origins= , ", "allowed_origins[0]: expected an origin"),
        ("allowed_origins=wss://a.example", "it has the scheme of the connection"),
        ("allowed_origins=localhost:*", "it needs a scheme"),
        (
            'webhooks=[{"url": "http://a", "event_types": ["cache_miss"], "filter": {"channel_tpe": "private"}}]',
            "webhooks[0].filter.channel_tpe: is an unknown condition",
        ),
        (
            'webhooks=[{"url": "http://a", "event_types": ["cache_miss"], "headers": {"X": "a\\u0001"}}]',
            "webhooks[0].headers.X: expected a string without line breaks",
        ),
        (
            'webhooks=[{"url": "http://a", "event_types": ["cache_miss"], "filter": {"channel_pattern": "(?!a)"}}]',
            "it has a look-ahead",
        ),
        ("secret= ", None),
    ],
)
def test_a_wrong_value_is_a_problem_with_its_name(run: Run, change: str, problem: str | None) -> None:
    created(run, "--id", "chat", "--secret", "HIDDEN")
    before = rows()
    result = run("update", "chat", "--set", change)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert problem is None or problem in result.stderr
    assert "HIDDEN" not in result.output
    assert rows() == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("update", "chat"), "give at least one --set"),
        (("update", "chat", "--set", "enabled"), "--set needs NAME=VALUE"),
        (("update", "chat", "--set", "id=other"), "the id of an app cannot be changed: create another app"),
        (("rotate-key", "chat", "--keep-key", "--keep-secret"), "exclude each other"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(run: Run, arguments: tuple[str, ...], problem: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert problem in result.stderr


def test_a_deleted_app_is_gone_once_it_was_confirmed(run: Run) -> None:
    created(run, "--id", "chat")
    assert run("delete", "chat", input="n\n").exit_code == 1
    assert rows("id") == [("chat",)]
    result = run("delete", "chat", "--yes")
    assert (result.exit_code, result.stdout) == (0, "Deleted chat.\n")
    assert rows("id") == []


def test_credentials_are_rotated_together_or_alone(run: Run) -> None:
    old = created(run, "--id", "chat", "--set", "max_connections=7")
    both = run("rotate-key", "chat", "--format", "json")
    assert both.exit_code == 0
    new = json.loads(both.stdout)
    assert new["id"] == "chat"
    assert new["key"] != old["key"]
    assert new["secret"] != old["secret"]
    assert rows("key, secret, max_connections") == [(new["key"], new["secret"], 7)]

    secret = json.loads(run("rotate-key", "chat", "--keep-key", "--format", "json").stdout)
    assert secret.keys() == {"id", "secret"}
    assert rows("key, secret") == [(new["key"], secret["secret"])]
    key = json.loads(run("rotate-key", "chat", "--keep-secret", "--format", "json").stdout)
    assert key.keys() == {"id", "key"}
    assert rows("key, secret") == [(key["key"], secret["secret"])]


@pytest.mark.parametrize(
    "command", [("update", "chat", "--set", "enabled=no"), ("delete", "chat", "--yes"), ("rotate-key", "chat")]
)
def test_an_app_that_is_not_there_is_status_1(run: Run, command: tuple[str, ...]) -> None:
    assert run("migrate").exit_code == 0
    result = run(*command)
    assert (result.exit_code, result.stderr) == (1, "There is no app with the id chat.\n")


def test_a_list_shows_essentials_and_no_secrets(run: Run) -> None:
    created(run, "--id", "chat", "--key", "chat-key", "--set", f"webhooks={json.dumps([WEBHOOK])}")
    created(
        run, "--id", "off", "--set", "enabled=no", "--set", "max_connections=5", "--set", "allowed_origins=a.example"
    )
    with closing(sqlite3.connect("apps.db")) as connection:
        connection.execute("INSERT INTO applications (id, key, secret, max_connections, max_client_events_per_second) "
                           "VALUES ('bad', 'bad-key', 's', 'HIDDEN', 0)")  # fmt: skip
        connection.commit()
    table = run("list").output
    assert [line.split()[0] for line in table.splitlines() if line[0] != " "] == ["id", "bad", "chat", "off"]
    assert "SECRET-PATH" not in table
    listed = {app["id"]: app for app in json.loads(run("list", "--format", "json").output)}
    assert (listed["chat"]["webhooks"], listed["chat"]["problems"]) == (1, [])
    assert (listed["off"]["enabled"], listed["off"]["allowed_origins"]) == (False, ["a.example"])
    assert "max_connections: expected an integer" in listed["bad"]["problems"][0]
    assert all("secret" not in app for app in listed.values())


def test_a_list_of_nothing_is_a_list(run: Run) -> None:
    run("migrate")
    assert run("list", "--format", "json").output == "[]\n"
    assert run("list").exit_code == 0


def test_a_list_does_not_make_a_table(run: Run) -> None:
    result = run("list")
    assert result.exit_code == 2
    assert (
        "there is no table applications (database.sqlite.table_name): `sockudo apps migrate` makes it" in result.stderr
    )


@pytest.mark.parametrize("command", [("list",), ("migrate",), ("create",), ("delete", "chat", "--yes")])
def test_apps_of_the_configuration_are_not_changed_here(run: Run, command: tuple[str, ...]) -> None:
    configure({})
    result = run(*command)
    assert result.exit_code == 2
    assert "app_manager.driver: memory has the apps of the configuration and no database" in result.stderr


def test_a_database_that_cannot_be_used_is_status_2(run: Run) -> None:
    configure({"app_manager": {"driver": "mysql"}, "database": {"mysql": {"host": "127.0.0.1", "port": 1}}})
    result = run("list")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "The database cannot be used: mysql at 127.0.0.1:1 cannot be used (database.mysql):"
    )


def test_a_database_whose_extra_is_missing_is_status_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(APP_STORES, "sqlite", "absent_library.driver:Store")
    result = run("list")
    assert result.exit_code == 2
    assert "app_manager.driver sqlite needs absent_library: pip install 'sockudo[sqlite]'" in result.stderr


def test_the_configuration_may_be_named_before_or_after_the_command(run: Run) -> None:
    Path("config/config.json").rename("other.json")
    assert run("migrate", "-c", "other.json").exit_code == 0
    before = CliRunner().invoke(main, ["-c", "other.json", "apps", "list", "--format", "json"])
    assert (before.exit_code, before.output) == (0, "[]\n")
