"""The statements for a SQL table of soketi, run on its own table in real databases, and served afterwards."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from click.testing import CliRunner, Result

from sockudo.cli.main import main
from tests.clients.client import ApiClient, PusherClient
from tests.servers.mariadb_server import MariaDbProcess
from tests.servers.postgres_server import PostgresProcess
from tests.servers.server import server_process
from tests.servers.webhook_receiver import webhook_receiver
from tests.support.pages import the_block
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs/migrating.md"
# As soketi's documentation makes it.
TABLE: Final = """
CREATE TABLE {table} (
  {quote}id{quote} varchar(255) NOT NULL PRIMARY KEY,
  {quote}key{quote} varchar(255) NOT NULL,
  {quote}secret{quote} varchar(255) NOT NULL,
  {quote}max_connections{quote} integer NOT NULL,
  {quote}enable_client_messages{quote} {flag} NOT NULL,
  {quote}enabled{quote} {flag} NOT NULL,
  {quote}max_backend_events_per_sec{quote} integer NOT NULL,
  {quote}max_client_events_per_sec{quote} integer NOT NULL,
  {quote}max_read_req_per_sec{quote} integer NOT NULL,
  {quote}webhooks{quote} json
);
"""
COLUMNS: Final = ("id", "key", "secret", "max_connections", "enable_client_messages", "enabled")
LIMITS: Final = ("max_backend_events_per_sec", "max_client_events_per_sec", "max_read_req_per_sec")
_numbers = count()


class SoketiTable(NamedTuple):
    """A database with soketi's table in it, and how a server is told where it is."""

    server: MariaDbProcess | PostgresProcess
    table: str
    settings: dict[str, Any]
    statements: str


@pytest.fixture(params=["mariadb", "postgres"])
def place(request: pytest.FixtureRequest) -> SoketiTable:
    server = request.getfixturevalue(request.param)
    table, is_mysql = f"soketi{next(_numbers)}", request.param == "mariadb"
    server.run(TABLE.format(table=table, quote="`" if is_mysql else '"', flag="tinyint(1)" if is_mysql else "smallint"))
    given, driver = server.options.section, "mysql" if is_mysql else "postgres"
    section = {"host": given.host, "port": given.port, "username": given.username, "password": given.password}
    section |= {"database": given.database, "table_name": table}
    settings = {"app_manager": {"driver": driver, "array": {"apps": []}}, "database": {driver: section}}
    block = the_block(PAGE, "sql", "CHANGE" if is_mysql else "RENAME COLUMN").replace(" apps ", f" {table} ")
    return SoketiTable(server, table, settings, block)


def insert(place: SoketiTable, app_id: str, webhooks: list[Any], **changes: int) -> None:
    """Add an app as soketi has it, without limits unless they are given."""
    values = dict.fromkeys(("max_connections", *LIMITS), -1) | {"enable_client_messages": 1, "enabled": 1} | changes
    row = [f"'{app_id}'", f"'key-{app_id}'", f"'secret-{app_id}'", *(str(values[name]) for name in COLUMNS[3:])]
    row += [str(values[name]) for name in LIMITS]
    quote = "`" if isinstance(place.server, MariaDbProcess) else '"'
    names = ", ".join(f"{quote}{name}{quote}" for name in (*COLUMNS, *LIMITS, "webhooks"))
    place.server.run(f"INSERT INTO {place.table} ({names}) VALUES ({', '.join(row)}, '{json.dumps(webhooks)}');")


@pytest.fixture
def run(place: SoketiTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command of the place."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {})
    Path("command.json").write_text(json.dumps({"host": "127.0.0.1", "port": 0} | place.settings), "utf-8")
    return lambda *words: CliRunner().invoke(main, [*words, "--config", "command.json"], prog_name="sockudo")


def client(port: int, app_id: str) -> PusherClient:
    return PusherClient(port, f"key-{app_id}", f"secret-{app_id}")


def api(port: int, app_id: str) -> ApiClient:
    return ApiClient(port, app_id, f"key-{app_id}", f"secret-{app_id}")


def test_a_table_of_soketi_stops_the_start_with_the_statements(place: SoketiTable, run: Callable[..., Result]) -> None:
    insert(place, "1", [], max_read_req_per_sec=3)
    for words in (("serve",), ("apps", "list"), ("apps", "migrate")):
        done = run(*words)

        assert done.exit_code == (2 if words == ("serve",) else done.exit_code) != 0
        assert f"the table {place.table} is soketi's (database." in done.output
        for statement in place.statements.strip().splitlines():
            assert statement in done.output
    # Nothing was added beside soketi's columns, so its limits are where they were.
    assert place.server.run(f"SELECT max_read_req_per_sec FROM {place.table}").strip() == "3"


async def test_apps_of_soketi_work_after_the_statements(place: SoketiTable, tmp_path: Path) -> None:
    async with webhook_receiver() as receiver:
        hook = {"url": receiver.url, "event_types": ["channel_occupied"]}
        insert(place, "free", [hook | {"filter": {"channel_name_starts_with": "public-x"}}])
        insert(place, "tight", [], max_connections=1, max_backend_events_per_sec=1, max_read_req_per_sec=1)
        insert(place, "mute", [], max_client_events_per_sec=0)
        insert(place, "slow", [], max_client_events_per_sec=1)
        insert(place, "off", [], enabled=0)
        place.server.run(place.statements)
        with server_process(tmp_path, **place.settings, webhooks={"hold_ms": 0}) as server:
            await without_limits_everything_passes(server.port)
            await limits_hold(server.port)
            await client_events_are_limited(server.port)
            assert (await client(server.port, "off").expect_refusal())[0] == 4003
            await receiver.until(lambda: bool(receiver.events))
    assert [one["channel"] for one in receiver.events] == ["public-x-1"]


async def without_limits_everything_passes(port: int) -> None:
    async with client(port, "free") as one, client(port, "free") as two:
        for each in (one, two):
            await each.subscribe("private-room")
        await one.subscribe("public-y")
        await one.subscribe("public-x-1")
        for number in range(20):
            await api(port, "free").trigger("private-room", str(number))
            assert [(await each.expect("event"))["data"] for each in (one, two)] == [str(number)] * 2
            await one.trigger("private-room", "client-event", number)
            assert (await two.expect("client-event"))["data"] == number
            assert (await api(port, "free").get("/channels")).status == 200


async def limits_hold(port: int) -> None:
    async with client(port, "tight"):
        assert (await client(port, "tight").expect_refusal())[0] == 4004
    answers = await asyncio.gather(*(api(port, "tight").get("/channels") for _ in range(4)))
    assert sorted({answer.status for answer in answers}) == [200, 429]
    event = {"name": "event", "channel": "a", "data": ""}
    posts = await asyncio.gather(*(api(port, "tight").post("/events", event) for _ in range(4)))
    assert sorted({answer.status for answer in posts}) == [200, 429]


async def client_events_are_limited(port: int) -> None:
    async with client(port, "mute") as one:
        await one.subscribe("private-room")
        await one.trigger("private-room", "client-event", 1)
        assert "enable_client_messages" in await one.expect_error(4301)
    async with client(port, "slow") as one:
        await one.subscribe("private-room")
        for _ in range(2):
            await one.trigger("private-room", "client-event", 1)
        assert "max_client_events_per_second" in await one.expect_error(4301)


def test_apps_can_be_changed_after_the_statements(place: SoketiTable, run: Callable[..., Result]) -> None:
    insert(place, "1", [])
    place.server.run(place.statements)
    assert run("apps", "migrate").exit_code == 0
    for words in (
        ("apps", "create", "--id", "2", "--key", "k2"),
        ("apps", "update", "1", "--set", "max_connections=5"),
        ("apps", "update", "1", "--set", "enabled=false"),
        ("apps", "list"),
    ):
        done = run(*words)
        assert done.exit_code == 0, done.output
    assert place.server.run(f"SELECT max_connections FROM {place.table} WHERE id = '1'").strip() == "5"


def test_rows_with_minus_one_need_no_statements_of_their_own(place: SoketiTable) -> None:
    assert "-1" not in place.statements
    assert "max_connections" not in place.statements
