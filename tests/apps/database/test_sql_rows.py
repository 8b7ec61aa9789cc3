"""Tables and rows that others have made, as the scripts of the original do, are read and completed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sockudo.apps.database.options import SqliteOptions, SqlOptions
from sockudo.apps.database.sql import SqlAppStore
from sockudo.config.app_record import app_from_record
from sockudo.config.sections.sql_databases import SqliteSettings
from sockudo.errors import DriverError
from tests.contracts.app_store import full_record
from tests.servers.mariadb_server import PASSWORD, MariaDbProcess
from tests.servers.postgres_server import PostgresProcess
from tests.support.sections import changed

_numbers = count()

# Every limit may be null and has a default, and there is neither allowed_origins nor enable_subscription_count.
MYSQL = """
CREATE TABLE {table} (
  id VARCHAR(255) PRIMARY KEY,
  `key` VARCHAR(255) UNIQUE NOT NULL,
  secret VARCHAR(255) NOT NULL,
  max_connections INT UNSIGNED DEFAULT 1000,
  enable_client_messages BOOLEAN DEFAULT FALSE,
  enabled BOOLEAN DEFAULT TRUE,
  max_backend_events_per_second INT UNSIGNED DEFAULT 100,
  max_client_events_per_second INT UNSIGNED DEFAULT 100,
  max_read_requests_per_second INT UNSIGNED DEFAULT 100,
  max_presence_members_per_channel INT UNSIGNED DEFAULT 100,
  max_presence_member_size_in_kb INT UNSIGNED DEFAULT 2,
  max_channel_name_length INT UNSIGNED DEFAULT 200,
  max_event_channels_at_once INT UNSIGNED DEFAULT 100,
  max_event_name_length INT UNSIGNED DEFAULT 200,
  max_event_payload_in_kb INT UNSIGNED DEFAULT 100,
  max_event_batch_size INT UNSIGNED DEFAULT 10,
  enable_user_authentication BOOLEAN DEFAULT FALSE,
  webhooks JSON,
  enable_watchlist_events BOOLEAN DEFAULT FALSE,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  INDEX idx_key (`key`), INDEX idx_enabled (enabled)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci
"""
POSTGRES = (
    MYSQL.replace("INT UNSIGNED", "INTEGER").replace("`key`", '"key"').replace(" ON UPDATE CURRENT_TIMESTAMP", "")
)
POSTGRES = POSTGRES[: POSTGRES.index(",\n  INDEX")].replace("JSON", "JSONB") + ", allowed_origins JSONB)"
# Whoever made this took what came: text for everything, nothing for what is not used.
SQLITE = "CREATE TABLE {table} (id, key, secret, max_connections, enabled, webhooks)"


class OthersTable(NamedTuple):
    """A database with a table of others in it."""

    options: SqlOptions
    table: str
    run: Callable[[str], Any]
    lacks: set[str]


def _in_mariadb(server: MariaDbProcess) -> OthersTable:
    table = f"loose{next(_numbers)}"
    server.run(MYSQL.format(table=table))
    options = changed(server.options, table_name=table)
    return OthersTable(options, table, server.run, {"allowed_origins", "enable_subscription_count"})


def _in_postgres(server: PostgresProcess) -> OthersTable:
    table = f"loose{next(_numbers)}"
    server.run(POSTGRES.format(table=table))
    return OthersTable(changed(server.options, table_name=table), table, server.run, {"enable_subscription_count"})


@pytest.fixture(params=["mariadb", "postgres"])
def place(request: pytest.FixtureRequest) -> OthersTable:
    server = request.getfixturevalue(request.param)
    return _in_mariadb(server) if isinstance(server, MariaDbProcess) else _in_postgres(server)


@pytest.fixture
async def store(place: OthersTable) -> AsyncIterator[SqlAppStore]:
    store = SqlAppStore(place.options)
    await store.start()
    yield store
    await store.aclose()


async def test_missing_columns_are_added_once(store: SqlAppStore, place: OthersTable) -> None:
    made = await store.migrate()
    assert {step.split()[3] for step in made.done} == place.lacks
    assert not (await store.migrate()).done
    await store.create(full_record())
    assert await store.find_by_id("full") == full_record()


async def test_a_name_with_capitals_means_the_table_of_the_original(
    postgres: PostgresProcess,
) -> None:
    postgres.run(POSTGRES.format(table="Capitals"))
    postgres.run("INSERT INTO Capitals (id, key, secret) VALUES ('1', 'k', 's')")
    store = SqlAppStore(changed(postgres.options, table_name="Capitals"))
    await store.start()
    await store.migrate()
    assert await store.find_by_key("k") is not None
    await store.aclose()


async def test_a_row_that_only_has_what_it_must_is_read(store: SqlAppStore, place: OthersTable) -> None:
    key = '"key"' if place.options.driver == "pgsql" else "`key`"
    place.run(f"INSERT INTO {place.table} (id, {key}, secret) VALUES ('1', 'k', 's')")
    # Before the missing columns are added, and after.
    for _ in range(2):
        record = await store.find_by_key("k")
        assert record is not None
        assert (record["id"], record["max_connections"], record["max_event_batch_size"]) == ("1", 1000, 10)
        assert (record["enabled"], record["enable_client_messages"]) == (True, False)
        assert (record["webhooks"], record["allowed_origins"], record["enable_subscription_count"]) == (None,) * 3
        await store.migrate()


async def test_a_row_of_nulls_is_read(store: SqlAppStore, place: OthersTable) -> None:
    columns = ["max_connections", "max_client_events_per_second", "enabled", "enable_client_messages", "webhooks"]
    key = '"key"' if place.options.driver == "pgsql" else "`key`"
    place.run(
        f"INSERT INTO {place.table} (id, {key}, secret, {', '.join(columns)}) "
        f"VALUES ('1', 'k', 's', NULL, NULL, NULL, NULL, 'null')"
    )
    record = await store.find_by_id("1")
    assert record is not None
    assert [record[name] for name in columns] == [None] * len(columns)


async def test_a_row_with_lists_is_read(store: SqlAppStore, place: OthersTable) -> None:
    await store.migrate()
    key = '"key"' if place.options.driver == "pgsql" else "`key`"
    webhooks = '[{"url": "https://example.com/\N{SNOWMAN}", "event_types": ["channel_occupied"]}]'
    place.run(
        f"INSERT INTO {place.table} (id, {key}, secret, webhooks, allowed_origins) "
        f"VALUES ('1', 'k', 's', '{webhooks}', '[\"https://example.com\"]')"
    )
    (record,) = await store.all()
    assert record["webhooks"] == [{"url": "https://example.com/\N{SNOWMAN}", "event_types": ["channel_occupied"]}]
    assert record["allowed_origins"] == ["https://example.com"]


async def test_columns_of_other_types_are_read(place: OthersTable) -> None:
    mysql = place.options.driver == "mysql"
    key, flag, json_type = ("`key`", "BIT(1)", "JSON") if mysql else ('"key"', "SMALLINT", "JSONB")
    place.run(f"DROP TABLE {place.table}")
    place.run(
        f"CREATE TABLE {place.table} (id VARCHAR(255), {key} VARCHAR(255), secret VARCHAR(255), enabled {flag}, "
        f"max_connections DECIMAL(10,0), max_event_batch_size DECIMAL(10,1), max_channel_name_length FLOAT, "
        f"webhooks {json_type}, allowed_origins TEXT)"
    )
    # JSON in JSON, as from a program that has encoded its text twice.
    place.run(
        f"INSERT INTO {place.table} VALUES ('1', 'k', 's', 1, "
        """7, 7.5, 200, '"[1]"', '["https://example.com"]')"""
    )
    store = SqlAppStore(place.options)
    await store.start()
    (found,) = await store.all()
    await store.aclose()
    expected = {"max_connections": 7, "max_event_batch_size": "7.5", "max_channel_name_length": 200, "webhooks": [1]}
    expected |= {"enabled": True, "allowed_origins": ["https://example.com"]}
    assert {name: found[name] for name in expected} == expected
    assert json.dumps(found)


async def test_an_update_renews_the_time_of_the_row(store: SqlAppStore, place: OthersTable) -> None:
    await store.migrate()
    await store.create(full_record())
    place.run(f"UPDATE {place.table} SET created_at = '2020-01-01', updated_at = '2020-01-01'")
    assert await store.update(full_record() | {"enabled": False})
    years = place.run(f"SELECT EXTRACT(YEAR FROM created_at), EXTRACT(YEAR FROM updated_at) > 2020 FROM {place.table}")
    assert years.replace("|", "\t").split() in (["2020", "1"], ["2020", "t"])


async def test_a_file_that_somebody_else_made_is_read_and_completed(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "apps.db"
    with sqlite3.connect(path) as connection:
        connection.execute(SQLITE.format(table="applications"))
        connection.execute("INSERT INTO applications VALUES ('1', 'k', 's', '7', 'true', '[]')")
    connection.close()
    store = SqlAppStore(SqliteOptions(SqliteSettings(path=str(path))))
    await store.start()
    for _ in range(2):
        record = await store.find_by_key("k")
        assert record is not None
        assert (record["max_connections"], record["enabled"], record["webhooks"]) == (7, True, [])
        await store.migrate()
    await store.create(full_record())
    assert await store.find_by_id("full") == full_record()
    await store.aclose()


async def test_a_table_without_an_identity_is_refused(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "apps.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE applications (id, secret)")
    connection.close()
    store = SqlAppStore(SqliteOptions(SqliteSettings(path=str(path))))
    await store.start()
    with pytest.raises(DriverError, match=r"applications has no column key \(database\.sqlite\.table_name\)"):
        await store.migrate()
    await store.aclose()


class TestAUserWhoMayOnlyReadAndWrite:
    """As the user that the scripts of the original make."""

    @pytest.fixture
    def limited(self, place: OthersTable) -> OthersTable:
        user = f"limited{next(_numbers)}"
        if place.options.driver == "mysql":
            password = PASSWORD.replace("'", "''")
            place.run(f"CREATE USER {user}@'%' IDENTIFIED BY '{password}'")
            place.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON sockudo.* TO {user}@'%'")
        else:
            password = PASSWORD.replace("'", "''")
            place.run(f"CREATE USER {user} PASSWORD '{password}'")
            place.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}")
        return place._replace(options=changed(place.options, username=user))

    async def test_apps_work_without_columns_that_may_not_be_added(self, limited: OthersTable) -> None:
        store = SqlAppStore(limited.options)
        await store.start()
        made = await store.migrate()
        assert not made.done
        assert set(made.missing) == limited.lacks
        assert made.reason
        without = full_record() | dict.fromkeys(limited.lacks)
        await store.create(without)
        assert await store.find_by_id("full") == without
        with pytest.raises(DriverError, match=r"has no column (allowed_origins|enable_subscription_count).*migrate"):
            await store.update(full_record())
        assert await store.find_by_id("full") == without
        await store.aclose()

    async def test_a_table_that_may_not_be_created_is_an_error(self, limited: OthersTable) -> None:
        store = SqlAppStore(changed(limited.options, table_name="another"))
        await store.start()
        with pytest.raises(
            DriverError, match=r"no table another, and it cannot be made: .*(denied|permission)"
        ) as error:
            await store.migrate()
        assert limited.options.setting in str(error.value)
        await store.aclose()


async def test_the_policy_of_a_row_is_read(store: SqlAppStore, place: OthersTable) -> None:
    key, kind = ('"key"', "JSONB") if place.options.driver == "pgsql" else ("`key`", "JSON")
    policy = {"limits": {"max_event_batch_size": 10}, "channels": {"allowed_origins": ["https://a.io"]}}
    place.run(f"ALTER TABLE {place.table} ADD COLUMN policy {kind}")
    place.run(f"INSERT INTO {place.table} (id, {key}, secret, policy) VALUES ('1', 'k', 's', '{json.dumps(policy)}')")
    await store.migrate()

    record = await store.find_by_key("k")

    assert record is not None
    assert record["policy"] == policy
    assert app_from_record(record).allowed_origins == ("https://a.io",)
