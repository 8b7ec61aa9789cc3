"""The table of apps in SQL, with the column types of each kind of database.

It is the table of the original, and one column more. An existing table may have looser or tighter types, so reading
does not rely on the types here.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import TIMESTAMP, Boolean, Column, FetchedValue, Integer, MetaData, String, Table, text
from sqlalchemy.dialects.mysql import INTEGER
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeEngine, UserDefinedType

from sockudo.apps.database.record import PROPERTIES, Property, PropertyKind, json_text

CREATED_AT: Final = "created_at"
UPDATED_AT: Final = "updated_at"


class JsonText(UserDefinedType[Any]):
    """Lists and objects, written as JSON text: into JSONB, JSON or, in SQLite, a column of text."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type of the column for a database without a type of its own."""
        return "TEXT"

    def bind_processor(self, dialect: Dialect) -> Any:
        """Return the function that turns a value into text."""
        return json_text


@compiles(JsonText, "mysql", "mariadb")
def _json_of_mysql(*_: Any, **__: Any) -> str:
    return "JSON"


@compiles(JsonText, "postgresql")
def _json_of_postgres(*_: Any, **__: Any) -> str:
    return "JSONB"


def app_table(name: str, dialect: str) -> Table:
    """Return the table of apps for one kind of database."""
    now = text("CURRENT_TIMESTAMP")
    # MySQL keeps the time of the last change itself; elsewhere an update sets it.
    renewed = text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP") if dialect == "mysql" else now
    return Table(
        # The original names it without quotes, and PostgreSQL lowers such a name.
        name.lower() if dialect == "pgsql" else name,
        MetaData(),
        *(_column(one) for one in PROPERTIES),
        Column(CREATED_AT, TIMESTAMP, server_default=now),
        Column(UPDATED_AT, TIMESTAMP, server_default=renewed, server_onupdate=FetchedValue()),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_collate="utf8mb4_unicode_ci",
    )


def add_column(table: Table, name: str, dialect: Dialect) -> str:
    """Return the statement that adds a column to a table with rows, in which it is null at first."""
    added = Table(table.name, MetaData(), _column(Property(name, _kind(name))))
    column = CreateColumn(added.c[name]).compile(dialect=dialect)
    return f"ALTER TABLE {dialect.identifier_preparer.format_table(added)} ADD COLUMN {column}"


def _kind(name: str) -> PropertyKind:
    return next(one.kind for one in PROPERTIES if one.name == name)


def _column(one: Property) -> Column[Any]:
    return Column(
        one.name,
        _type(one.kind),
        primary_key=one.name == "id",
        unique=one.name == "key",
        nullable=not one.required,
        server_default=None if one.default is None else text(str(one.default).upper()),
    )


def _type(kind: PropertyKind) -> TypeEngine[Any]:
    if kind is PropertyKind.TEXT:
        return String(255)
    if kind is PropertyKind.COUNT:
        return Integer().with_variant(INTEGER(unsigned=True), "mysql", "mariadb")
    return Boolean() if kind is PropertyKind.FLAG else JsonText()
