"""Connects to each kind of SQL database: addresses, pools, TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from sockudo.apps.database.options import SqliteOptions, SqlOptions, SqlSection

# An older connection is replaced before it is used.
_RECYCLE: Final = 180
_DIALECTS: Final = {"mysql": "mysql+asyncmy", "pgsql": "postgresql+asyncpg"}

Creator = Callable[[], Awaitable[Any]]


def make_engines(options: SqliteOptions | SqlOptions, timeout: float) -> list[AsyncEngine]:
    """Return engines to try in turn, none of them connected; two if TLS is optional.

    Raises:
        ModuleNotFoundError: the library of the database is not installed.
        OSError: the file of authorities cannot be used.
    """
    if isinstance(options, SqliteOptions):
        return [_sqlite(options, timeout)]
    if options.driver == "pgsql" and options.section.tls == "prefer":
        # This library itself asks the server about TLS.
        return [_server(options, timeout, "prefer")]
    with_tls = {"off": (False,), "prefer": (True, False)}.get(options.section.tls, (True,))
    return [_server(options, timeout, _tls_context(options.section) if tls else None) for tls in with_tls]


def _server(options: SqlOptions, timeout: float, tls: ssl.SSLContext | str | None) -> AsyncEngine:
    section = options.section
    url = URL.create(
        _DIALECTS[options.driver],
        username=section.username,
        password=section.password or None,
        host=section.host,
        port=section.port,
        database=section.database,
    )
    if options.driver == "mysql":
        # As bytes, because the library encodes text as Latin-1.
        password = section.password.encode()
        arguments: dict[str, Any] = {"connect_timeout": timeout, "charset": "utf8mb4", "password": password}
        if tls is not None:
            arguments["ssl"] = tls
    else:
        # No kept prepared statements: a change of the table breaks them, and a pooler before the server loses them.
        arguments = {"timeout": timeout, "statement_cache_size": 0, "ssl": tls or False}
        url = url.update_query_dict({"prepared_statement_cache_size": "0"})
    # A pool of size 0 would have no limit.
    kept = max(1, min(options.pool_min, options.pool_max))
    return create_async_engine(
        url,
        connect_args=arguments,
        pool_size=kept,
        max_overflow=options.pool_max - kept,
        pool_timeout=timeout,
        pool_recycle=_RECYCLE,
        pool_pre_ping=True,
        **_COMMON,
    )


# Every query is one statement, so a transaction around it would only cost a round trip.
_COMMON: Final[dict[str, Any]] = {
    "hide_parameters": True,
    "isolation_level": "AUTOCOMMIT",
    "pool_reset_on_return": None,
}


def _sqlite(options: SqliteOptions, timeout: float) -> AsyncEngine:
    # Opened for each query, so that the server notices a replaced file; a query never makes a missing one.
    import aiosqlite

    path = Path(options.section.path).absolute()
    address = f"file:{quote(str(path))}?mode=rw"

    async def connect() -> aiosqlite.Connection:
        return await aiosqlite.connect(address, uri=True, timeout=timeout, isolation_level=None)

    return create_async_engine("sqlite+aiosqlite://", async_creator=connect, poolclass=NullPool, **_COMMON)


async def make_file(options: SqliteOptions) -> None:
    """Make the SQLite file if it is missing.

    Raises:
        OSError: the file cannot be made.
    """
    await asyncio.to_thread(Path(options.section.path).touch)


def _tls_context(section: SqlSection) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=section.tls_ca)
    if section.tls != "verify":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
