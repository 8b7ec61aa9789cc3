"""Apps in SQLite, MySQL, MariaDB and PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.types import TypeEngine

from sockudo.apps.database.options import SqliteOptions, SqlOptions
from sockudo.apps.database.record import IDENTITY, LARGEST_SIGNED, POLICY, PROPERTIES, Record, read_record
from sockudo.apps.database.soketi_table import statements
from sockudo.apps.database.sql_engine import make_engines, make_file
from sockudo.apps.database.sql_schema import UPDATED_AT, add_column, app_table
from sockudo.apps.database.sql_timeout import InsistingTimeout
from sockudo.apps.database.store import AppExistsError, Migration
from sockudo.errors import DriverError

# Seconds for one query, and for a free connection of the pool.
_TIMEOUT: Final = 5.0
# Seconds to close a connection.
_GOODBYE: Final = 0.5
_LONGEST_REASON: Final = 300


class SqlAppStore:
    """The `AppStore` of SQL databases."""

    def __init__(self, options: SqliteOptions | SqlOptions) -> None:
        self.largest_count: int | None = LARGEST_SIGNED if options.driver == "pgsql" else None
        self._options = options
        self._table = app_table(options.section.table_name, options.driver)
        self._engine: AsyncEngine | None = None
        # The columns of the table, with their types; empty if there is no table.
        self._columns: dict[str, TypeEngine[Any]] = {}

    # Getting ready

    async def start(self) -> None:
        """Connect, and look at the table.

        Raises:
            DriverError: the database cannot be used, or the table is soketi's.
        """
        try:
            if isinstance(self._options, SqliteOptions):
                await make_file(self._options)
            engines = make_engines(self._options, _TIMEOUT)
        except OSError as error:
            raise self._unusable(error) from None
        for number, engine in enumerate(engines, 1):
            self._engine = engine
            try:
                await self._look()
                break
            except DriverError:
                await self.aclose()
                if number == len(engines):
                    raise
        await self._refuse_soketi()

    async def _refuse_soketi(self) -> None:
        """Refuse a table of soketi, whose limits this server would not see, before adding anything to it."""
        table = self._started.dialect.identifier_preparer.format_table(self._table)
        needed = statements(table, self._options.driver, self._columns)
        if needed:
            await self.aclose()
            raise DriverError(
                f"the table {self._table.name} is soketi's ({self._setting}), and its limits would be lost; "
                f"stop soketi, run these statements, and start again: {'; '.join(needed)};"
            )

    async def migrate(self) -> Migration:
        """Make the table, or add missing columns."""
        result, name = Migration(), self._table.name
        if not self._columns:
            refusal = await self._change_schema(sa.schema.CreateTable(self._table))
            if not self._columns:
                raise DriverError(f"there is no table {name}, and it cannot be made: {refusal}")
            if refusal is None:
                result.done.append(f"made the table {name}")
        for column in (one.name for one in PROPERTIES if one.name not in self._columns):
            if column in IDENTITY:
                raise DriverError(f"the table {name} has no column {column} ({self._options.setting}.table_name)")
            refusal = await self._change_schema(sa.text(add_column(self._table, column, self._started.dialect)))
            if column not in self._columns:
                result.missing.append(column)
                result.reason = refusal or "it was not added"
            elif refusal is None:
                result.done.append(f"added the column {column} to the table {name}")
        return result

    async def _change_schema(self, statement: sa.Executable) -> str | None:
        """Change the schema and look at it again; return why the change was refused.

        Another node may have been faster, so only the new schema counts.
        """
        refusal = None
        try:
            async with self._connected() as connection:
                await connection.execute(statement)
        except DriverError as error:
            refusal = str(error)
        except IntegrityError as error:
            # In PostgreSQL, two nodes that make the table at once may violate the unique index of names.
            refusal = str(self._unusable(error))
        await self._look()
        return refusal

    async def _look(self) -> None:
        def columns(connection: sa.Connection) -> dict[str, TypeEngine[Any]]:
            inspector = sa.inspect(connection)
            if not inspector.has_table(self._table.name):
                return {}
            return {column["name"]: column["type"] for column in inspector.get_columns(self._table.name)}

        async with self._connected() as connection:
            self._columns = await connection.run_sync(columns)

    # Questions

    async def find_by_id(self, app_id: str) -> Record | None:
        return await self._find("id", app_id)

    async def find_by_key(self, key: str) -> Record | None:
        return await self._find("key", key)

    async def all(self) -> list[Record]:
        async with self._connected() as connection:
            return [read_record(dict(row)) for row in (await connection.execute(self._select())).mappings()]

    async def has_any(self) -> bool:
        async with self._connected() as connection:
            return (await connection.execute(self._select("id").limit(1))).first() is not None

    async def _find(self, column: str, value: str) -> Record | None:
        question = self._select().where(self._table.c[column] == value)
        async with self._connected() as connection:
            rows = (await connection.execute(question)).mappings().all()
        # The usual collations of MySQL take "APP" and "app " for "app".
        return next((read_record(dict(row)) for row in rows if row[column] == value), None)

    def _select(self, *names: str) -> sa.Select[*tuple[Any, ...]]:
        """Return a query for columns with their raw values: a table of another program has other types."""
        if not self._columns:
            raise DriverError(
                f"there is no table {self._table.name} ({self._setting}): `sockudo apps migrate` makes it"
            )
        there = names or tuple(one.name for one in (*PROPERTIES, POLICY) if one.name in self._columns)
        return sa.select(*(sa.column(name) for name in there)).select_from(self._table)

    # Changes

    async def create(self, record: Record) -> None:
        try:
            await self._change(sa.insert(self._table).values(self._values(record)))
        except IntegrityError as error:
            await self._explain(error, record)

    async def update(self, record: Record) -> bool:
        # Look the app up first, because the comparison below is as loose as the collation.
        if await self.find_by_id(record["id"]) is None:
            return False
        values = self._values(record)
        if UPDATED_AT in self._columns:
            values[UPDATED_AT] = sa.func.current_timestamp()
        try:
            await self._change(sa.update(self._table).where(self._table.c.id == record["id"]).values(values))
        except IntegrityError as error:
            await self._explain(error, record)
        return True

    async def delete(self, app_id: str) -> bool:
        if await self.find_by_id(app_id) is None:
            return False
        return await self._change(sa.delete(self._table).where(self._table.c.id == app_id)) > 0

    async def _change(self, statement: sa.Executable) -> int:
        async with self._connected() as connection:
            return (await connection.execute(statement)).rowcount

    def _values(self, record: Record) -> Record:
        """Return the values of the existing columns.

        Raises:
            DriverError: a value would be lost, because its column is missing.
        """
        values = {one.name: record[one.name] for one in PROPERTIES}
        for name in values.keys() - self._columns:
            if values.pop(name):
                raise DriverError(
                    f"the table {self._table.name} has no column {name} ({self._setting}): "
                    "`sockudo apps migrate` adds it, run by a user who may alter the table"
                )
        return values

    async def _explain(self, error: IntegrityError, record: Record) -> None:
        """Raise the error that a broken constraint means."""
        for name, find in (("id", self.find_by_id), ("key", self.find_by_key)):
            other = await find(record[name])
            if other is not None and (name == "id" or other["id"] != record["id"]):
                raise AppExistsError(f"there is an app with the {name} {record[name]} already") from None
        raise self._unusable(error) from None

    # Connections

    @property
    def _started(self) -> AsyncEngine:
        assert self._engine is not None, "the store was started"
        return self._engine

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with InsistingTimeout(_TIMEOUT), self._started.connect() as connection:
                yield connection
        except (DriverError, IntegrityError):
            raise
        except TimeoutError:
            raise self._unusable(f"no answer in {_TIMEOUT:g} s") from None
        except Exception as error:
            # Any error: some of the libraries below SQLAlchemy raise their own while they connect.
            raise self._unusable(error) from None

    @property
    def _setting(self) -> str:
        return f"{self._options.setting}.table_name"

    def _unusable(self, reason: str | Exception) -> DriverError:
        options = self._options
        text = reason if isinstance(reason, str) else _reason(reason)
        return DriverError(f"{options.place} cannot be used ({options.setting}): {text}")

    async def aclose(self) -> None:
        if self._engine is not None:
            engine, self._engine = self._engine, None
            # A server that hangs does not answer the close: each round gives up the connection that it waited for.
            for _ in range(self._options.pool_max):
                with contextlib.suppress(TimeoutError):
                    async with InsistingTimeout(_GOODBYE):
                        await engine.dispose()
                    return


def _reason(error: Exception) -> str:
    """Return the first line of a library's error; the other lines may have values of the row."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    last = original.args[-1] if original.args else ""
    lines = (last if isinstance(last, str) else str(original)).strip().splitlines() or [""]
    text = lines[0].partition("[SQL:")[0][:_LONGEST_REASON]
    return text or type(original).__name__
