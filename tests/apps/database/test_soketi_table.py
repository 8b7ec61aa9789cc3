"""soketi's SQL table: the server refuses it, and names the statements that make it ours."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Integer, SmallInteger, String
from sqlalchemy.types import TypeEngine

from sockudo.apps.database.options import SqliteOptions
from sockudo.apps.database.soketi_table import COLUMNS, statements
from sockudo.apps.database.sql import SqlAppStore
from sockudo.config.sections.sql_databases import SqliteSettings
from sockudo.errors import DriverError

THEIRS: dict[str, TypeEngine[Any]] = {
    **{name: String(255) for name in ("id", "key", "secret")},
    **{name: Integer() for name in ("max_connections", *COLUMNS)},
    **{name: SmallInteger() for name in ("enable_client_messages", "enabled")},
}


@pytest.mark.parametrize("driver", ["mysql", "pgsql", "sqlite"])
def test_a_table_of_ours_needs_no_statements(driver: str) -> None:
    ours = {COLUMNS.get(name, name): kind for name, kind in THEIRS.items()}

    assert statements("apps", driver, ours) == []
    assert statements("apps", driver, {}) == []


@pytest.mark.parametrize("driver", ["mysql", "pgsql", "sqlite"])
@pytest.mark.parametrize("name", COLUMNS)
def test_one_column_of_soketi_is_enough(name: str, driver: str) -> None:
    ours = {COLUMNS.get(other, other): kind for other, kind in THEIRS.items()}
    del ours[COLUMNS[name]]

    assert any(f"{name} " in one for one in statements("apps", driver, ours | {name: Integer()}))


def test_a_limit_lost_before_is_moved_into_our_column() -> None:
    both = THEIRS | {"max_read_requests_per_second": Integer()}

    needed = statements("apps", "pgsql", both)
    assert (
        "UPDATE apps SET max_read_requests_per_second = max_read_req_per_sec WHERE max_read_requests_per_second IS NULL"
        in needed
    )
    assert "ALTER TABLE apps DROP COLUMN max_read_req_per_sec" in needed
    assert not any("RENAME COLUMN max_read_req_per_sec" in one for one in needed)


def test_truth_values_of_postgresql_are_compared_as_such() -> None:
    needed = statements("apps", "pgsql", THEIRS | {"enable_client_messages": Boolean(), "enabled": Boolean()})

    assert needed[0] == "UPDATE apps SET enable_client_messages = FALSE WHERE max_client_events_per_sec = 0"
    assert not any("TYPE BOOLEAN" in one for one in needed)


async def test_the_statements_that_are_named_make_the_table_ours(tmp_path: Path) -> None:
    path = tmp_path / "apps.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE apps ({', '.join(THEIRS)})")
        connection.execute("INSERT INTO apps VALUES ('1', 'k', 's', -1, 5, 0, 7, 1, 1)")
    store = SqlAppStore(SqliteOptions(SqliteSettings(path=str(path), table_name="apps")))
    with pytest.raises(DriverError, match=r"the table apps is soketi's \(database\.sqlite\.table_name\)") as refusal:
        await store.start()
    named = str(refusal.value).partition("start again: ")[2]
    with sqlite3.connect(path) as connection:
        assert {one[1] for one in connection.execute("PRAGMA table_info(apps)")} == set(THEIRS)
        connection.executescript(named)
    connection.close()
    await store.start()
    await store.migrate()
    found = await store.find_by_key("k")
    await store.aclose()

    assert found is not None
    limits = ("max_connections", "max_backend_events_per_second", "max_client_events_per_second")
    assert [found[name] for name in limits] == [0, 5, 0]
    assert (found["max_read_requests_per_second"], found["enable_client_messages"]) == (7, False)
