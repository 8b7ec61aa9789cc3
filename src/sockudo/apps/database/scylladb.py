"""Apps in ScyllaDB and Cassandra.

The library below has threads of its own. Its answers come back into the event loop as futures, and its blocking calls
run in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any, Final

from cassandra import ConsistencyLevel, UnresolvableContactPoints
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, ResponseFuture, Session
from cassandra.policies import DCAwareRoundRobinPolicy, ExponentialReconnectionPolicy, TokenAwarePolicy
from cassandra.query import PreparedStatement, dict_factory

from sockudo.apps.database.options import ScyllaDbOptions
from sockudo.apps.database.record import (
    IDENTITY,
    LARGEST_SIGNED,
    POLICY,
    PROPERTIES,
    PropertyKind,
    Record,
    json_text,
    read_record,
)
from sockudo.apps.database.store import AppExistsError, Migration
from sockudo.errors import DriverError

_TIMEOUT: Final = 5.0
# All nodes must agree on a change of the schema.
_SCHEMA_TIMEOUT: Final = 30.0
_POLL: Final = 0.1
_POLLS: Final = 100
# Seconds between two attempts to reach a node: at first, and at most.
_RECONNECT: Final = (0.5, 5.0)
_LONGEST_REASON: Final = 300
_SETTING: Final = "database.scylladb"
_TYPES: Final = {
    PropertyKind.TEXT: "text",
    PropertyKind.COUNT: "int",
    PropertyKind.FLAG: "boolean",
    PropertyKind.JSON: "text",
}
_NAMES: Final = tuple(one.name for one in PROPERTIES)


class ScyllaDbAppStore:
    """The `AppStore` of databases that speak CQL.

    They have no unique columns but the primary one, and no cheap condition, so they do not refuse two apps that are
    created at the same time with the same key.
    """

    def __init__(self, options: ScyllaDbOptions) -> None:
        self.largest_count: int | None = LARGEST_SIGNED
        self._options = options
        self._table = f"{options.section.keyspace}.{options.section.table_name}"
        self._cluster: Any = None
        self._session: Any = None
        self._prepared: dict[str, PreparedStatement] = {}
        # The columns of the table; empty if there is no table.
        self._columns: frozenset[str] = frozenset()

    # Getting ready

    async def start(self) -> None:
        try:
            await asyncio.to_thread(self._connect)
        except Exception as error:
            await self.aclose()
            raise self._unusable(error) from None
        await self._look()

    def _connect(self) -> None:
        section, nodes = self._options.section, self._options.nodes
        profile = ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy()),
            consistency_level=ConsistencyLevel.LOCAL_QUORUM,
            request_timeout=_TIMEOUT,
            row_factory=dict_factory,
        )
        user = section.username
        self._cluster = Cluster(
            [host for host, _ in nodes],
            port=nodes[0][1],
            auth_provider=None if user is None else PlainTextAuthProvider(user, section.password or ""),
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            connect_timeout=_TIMEOUT,
            control_connection_timeout=_TIMEOUT,
            reconnection_policy=ExponentialReconnectionPolicy(*_RECONNECT),
        )
        self._session = self._cluster.connect()

    async def migrate(self) -> Migration:
        """Make the keyspace, the table and the index of keys, or add missing columns."""
        result = Migration()
        if not self._columns:
            await self._make_keyspace(result)
            await self._make_table(result)
        for column in (name for name in _NAMES if name not in self._columns):
            if column in IDENTITY:
                raise DriverError(f"the table {self._table} has no column {column} ({_SETTING}.table_name)")
            refusal = await self._change_schema(f"ALTER TABLE {self._table} ADD {column} {_type(column)}")
            if column not in self._columns:
                result.missing.append(column)
                result.reason = refusal or "it was not added"
            elif refusal is None:
                result.done.append(f"added the column {column} to the table {self._table}")
        if not await self._has_key_index():
            refusal = await self._change_schema(f'CREATE INDEX IF NOT EXISTS ON {self._table} ("key")')
            if not await self._has_key_index():
                raise DriverError(f"the table {self._table} has no index of keys, and none can be made: {refusal}")
            if refusal is None:
                result.done.append(f"made an index of keys of the table {self._table}")
        await self._index_is_ready()
        return result

    async def _index_is_ready(self) -> None:
        """Wait until keys can be looked up: an index is listed before it works, and another node may have made it.

        Raises:
            DriverError: the index does not work after a while.
        """
        for _ in range(_POLLS):
            with contextlib.suppress(DriverError):
                await self.find_by_key("-")
                return
            await asyncio.sleep(_POLL)
        await self.find_by_key("-")

    async def _make_keyspace(self, result: Migration) -> None:
        section = self._options.section
        question = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?"
        if await self._ask(question, section.keyspace.lower()):
            return
        refusal = await self._change_schema(
            f"CREATE KEYSPACE IF NOT EXISTS {section.keyspace} WITH replication = "
            f"{{'class': '{section.replication_class}', 'replication_factor': {section.replication_factor}}}"
        )
        if not await self._ask(question, section.keyspace.lower()):
            raise DriverError(f"there is no keyspace {section.keyspace}, and it cannot be made: {refusal}")
        result.done.append(f"made the keyspace {section.keyspace}")

    async def _make_table(self, result: Migration) -> None:
        columns = ", ".join(f'"{name}" {_type(name)}' for name in _NAMES)
        refusal = await self._change_schema(
            f"CREATE TABLE IF NOT EXISTS {self._table} "
            f"({columns}, created_at timestamp, updated_at timestamp, PRIMARY KEY (id))"
        )
        if not self._columns:
            raise DriverError(f"there is no table {self._table}, and it cannot be made: {refusal}")
        result.done.append(f"made the table {self._table}")

    async def _change_schema(self, statement: str) -> str | None:
        """Change the schema and look at it again; return why the change was refused.

        Another node may have been faster, so only the new schema counts.
        """
        refusal = None
        try:
            await self._answer(statement, (), _SCHEMA_TIMEOUT)
        except DriverError as error:
            refusal = str(error)
        await self._look()
        return refusal

    async def _look(self) -> None:
        question = "SELECT column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?"
        rows = await self._ask(question, *self._table_path())
        self._columns = frozenset(row["column_name"] for row in rows)

    def _table_path(self) -> tuple[str, str]:
        """Return the keyspace and the table as the database spells them."""
        section = self._options.section
        return section.keyspace.lower(), section.table_name.lower()

    async def _has_key_index(self) -> bool:
        question = "SELECT options FROM system_schema.indexes WHERE keyspace_name = ? AND table_name = ?"
        rows = await self._ask(question, *self._table_path())
        return any(row["options"].get("target", "").strip('"') == "key" for row in rows)

    # Questions

    async def find_by_id(self, app_id: str) -> Record | None:
        rows = await self._ask(f"{self._select()} WHERE id = ?", app_id)
        return read_record(rows[0]) if rows else None

    async def find_by_key(self, key: str) -> Record | None:
        # An index may be behind its table, so the app itself decides.
        for row in await self._ask(f'{self._select("id")} WHERE "key" = ?', key):
            record = await self.find_by_id(row["id"])
            if record is not None and record["key"] == key:
                return record
        return None

    async def all(self) -> list[Record]:
        return [read_record(row) for row in await self._ask(self._select())]

    async def has_any(self) -> bool:
        return bool(await self._ask(f"{self._select('id')} LIMIT 1"))

    def _select(self, *names: str) -> str:
        if not self._columns:
            raise DriverError(f"there is no table {self._table} ({_SETTING}): `sockudo apps migrate` makes it")
        there = names or tuple(name for name in (*_NAMES, POLICY.name) if name in self._columns)
        return f"SELECT {', '.join(map(_quoted, there))} FROM {self._table}"

    # Changes

    async def create(self, record: Record) -> None:
        if await self.find_by_id(record["id"]) is not None:
            raise AppExistsError(f"there is an app with the id {record['id']} already")
        values = self._values(record)
        times = [name for name in ("created_at", "updated_at") if name in self._columns]
        names = ", ".join(map(_quoted, [*values, *times]))
        marks = ", ".join(["?"] * len(values) + ["toTimestamp(now())"] * len(times))
        await self._ask(f"INSERT INTO {self._table} ({names}) VALUES ({marks})", *values.values())

    async def update(self, record: Record) -> bool:
        if await self.find_by_id(record["id"]) is None:
            return False
        values = self._values(record)
        app_id = values.pop("id")
        renewed = ", updated_at = toTimestamp(now())" if "updated_at" in self._columns else ""
        assignments = ", ".join(f"{_quoted(name)} = ?" for name in values)
        await self._ask(f"UPDATE {self._table} SET {assignments}{renewed} WHERE id = ?", *values.values(), app_id)
        return True

    async def delete(self, app_id: str) -> bool:
        if await self.find_by_id(app_id) is None:
            return False
        await self._ask(f"DELETE FROM {self._table} WHERE id = ?", app_id)
        return True

    def _values(self, record: Record) -> dict[str, Any]:
        """Return the values of the existing columns.

        Raises:
            DriverError: a value would be lost, because its column is missing.
        """
        values = {}
        for name, kind, *_ in PROPERTIES:
            value = json_text(record[name]) if kind is PropertyKind.JSON else record[name]
            if name in self._columns:
                values[name] = value
            elif value:
                raise DriverError(
                    f"the table {self._table} has no column {name} ({_SETTING}): "
                    "`sockudo apps migrate` adds it, run by a user who may alter the table"
                )
        return values

    # The library

    async def _ask(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return await self._answer(statement, values, _TIMEOUT)

    async def _answer(self, statement: str, values: tuple[Any, ...], seconds: float) -> list[dict[str, Any]]:
        session: Session = self._session
        assert session is not None, "the store was started"
        try:
            async with asyncio.timeout(seconds):
                question = await self._prepare(session, statement) if values else statement
                return await _bridged(session.execute_async(question, values or None, timeout=seconds))
        except TimeoutError:
            raise self._unusable(f"no answer in {seconds:g} s") from None
        except Exception as error:
            # The errors of the library have no common base.
            raise self._unusable(error) from None

    async def _prepare(self, session: Session, statement: str) -> PreparedStatement:
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = await asyncio.to_thread(session.prepare, statement)
            self._prepared[statement] = prepared
        return prepared

    def _unusable(self, reason: str | Exception) -> DriverError:
        text = reason if isinstance(reason, str) else _reason(reason)
        return DriverError(f"{self._options.place} cannot be used ({_SETTING}): {text[:_LONGEST_REASON]}")

    async def aclose(self) -> None:
        if self._cluster is not None:
            cluster, self._cluster, self._session = self._cluster, None, None
            self._prepared.clear()
            await asyncio.to_thread(cluster.shutdown)


async def _bridged(response: ResponseFuture) -> list[dict[str, Any]]:
    """Wait for every page of an answer, which arrives in a thread of the library."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[dict[str, Any]]] = loop.create_future()
    rows: list[dict[str, Any]] = []

    def tell(error: Exception | None) -> None:
        # Nothing waits any more if the loop is closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(partial(_settle, answer, rows, error))

    def page(found: list[dict[str, Any]] | None) -> None:
        rows.extend(found or ())
        if response.has_more_pages:
            response.start_fetching_next_page()
        else:
            tell(None)

    response.add_callbacks(page, tell)
    return await answer


def _settle(answer: asyncio.Future[list[dict[str, Any]]], rows: list[dict[str, Any]], error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(rows)
    else:
        answer.set_exception(error)


def _reason(error: Exception) -> str:
    if isinstance(error, NoHostAvailable):
        problems = error.errors.values() if isinstance(error.errors, dict) else error.errors
        return "; ".join(map(str, problems)) or "no node can be reached"
    if isinstance(error, UnresolvableContactPoints):
        return f"no address of {_SETTING}.nodes is known"
    return str(error) or type(error).__name__


def _type(name: str) -> str:
    return _TYPES[next(one.kind for one in PROPERTIES if one.name == name)]


def _quoted(name: str) -> str:
    return f'"{name}"'
