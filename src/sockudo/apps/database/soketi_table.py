"""Recognises the SQL table of soketi, and returns the statements that convert it.

It has three limits in columns with other names. A server that ignored them would serve every app without these limits,
so this server refuses such a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import SmallInteger
from sqlalchemy.types import TypeEngine

from sockudo.apps.database.record import PROPERTIES

# soketi's name -> this server's name.
COLUMNS: Final = {
    "max_backend_events_per_sec": "max_backend_events_per_second",
    "max_client_events_per_sec": "max_client_events_per_second",
    "max_read_req_per_sec": "max_read_requests_per_second",
}
_REQUIRED: Final = frozenset(one.name for one in PROPERTIES if one.required)
_FLAGS: Final = ("enable_client_messages", "enabled")


def statements(table: str, driver: str, columns: Mapping[str, TypeEngine[Any]]) -> list[str]:
    """Return the statements that convert soketi's table; none if it is this server's.

    Args:
        table: its name, quoted if necessary.
        columns: its columns, with their types.
    """
    theirs = {name: ours for name, ours in COLUMNS.items() if name in columns}
    if not theirs:
        return []
    found = list(_refuse_client_events(table, driver, columns))
    for name, ours in theirs.items():
        found += _moved(table, name, ours) if ours in columns else [_renamed(table, driver, name, ours)]
    if driver == "pgsql":
        found += _loosened(table, columns)
    return found


def _refuse_client_events(table: str, driver: str, columns: Mapping[str, TypeEngine[Any]]) -> Iterator[str]:
    """Zero client events per second forbid all of them in soketi, and mean no limit here."""
    if "max_client_events_per_sec" in columns and "enable_client_messages" in columns:
        is_number = driver != "pgsql" or isinstance(columns["enable_client_messages"], SmallInteger)
        no = "0" if is_number else "FALSE"
        yield f"UPDATE {table} SET enable_client_messages = {no} WHERE max_client_events_per_sec = 0"


def _renamed(table: str, driver: str, name: str, ours: str) -> str:
    if driver == "mysql":
        # Every version of MySQL and MariaDB has this statement, which also sets whether the column may be NULL.
        return f"ALTER TABLE {table} CHANGE {name} {ours} INTEGER {'NOT NULL' if ours in _REQUIRED else 'NULL'}"
    return f"ALTER TABLE {table} RENAME COLUMN {name} TO {ours}"


def _moved(table: str, name: str, ours: str) -> list[str]:
    """Return the statements that move a column of soketi's into this server's, which exists and may have NULL."""
    return [
        f"UPDATE {table} SET {ours} = {name} WHERE {ours} IS NULL",
        f"ALTER TABLE {table} DROP COLUMN {name}",
    ]


def _loosened(table: str, columns: Mapping[str, TypeEngine[Any]]) -> list[str]:
    """Let the columns take the values of this server: NULL for no limit, and booleans."""
    found = [
        f"ALTER TABLE {table} ALTER COLUMN {ours} DROP NOT NULL"
        for name, ours in COLUMNS.items()
        if name in columns and ours not in columns and ours not in _REQUIRED
    ]
    return found + [
        f"ALTER TABLE {table} ALTER COLUMN {name} TYPE BOOLEAN USING {name} <> 0"
        for name in _FLAGS
        if isinstance(columns.get(name), SmallInteger)
    ]
