"""SQL databases that cannot be used, go away and come back; encrypted ones; how many connections there are."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sockudo.apps.database import sql
from sockudo.apps.database.options import SqliteOptions, Tls
from sockudo.apps.database.sql import SqlAppStore
from sockudo.config.sections.sql_databases import SqliteSettings
from sockudo.errors import DriverError
from tests.contracts.app_store import record
from tests.servers.mariadb_server import PASSWORD, MariaDbProcess, running_mariadb
from tests.servers.postgres_server import PostgresProcess
from tests.support.sections import changed

Server = MariaDbProcess | PostgresProcess


@pytest.fixture(params=["mariadb", "postgres"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def store_with_app(server: Server) -> AsyncIterator[SqlAppStore]:
    store = SqlAppStore(server.options)
    await store.start()
    await store.migrate()
    if await store.find_by_id("app") is None:
        await store.create(record())
    yield store
    await store.aclose()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"password": "wr\u00f6ng"}, "denied|authentication failed"),
        ({"port": 1}, "Connect call failed|Can't connect"),
        ({"database": "nowhere"}, "Unknown database|does not exist"),
        ({"host": "nowhere.invalid"}, "not known|resolution"),
    ],
)
async def test_an_unusable_database_is_an_error_that_names_the_setting(
    server: Server, change: dict[str, Any], reason: str
) -> None:
    options = changed(server.options, **change)
    store = SqlAppStore(options)
    with pytest.raises(DriverError, match=reason) as error:
        await store.start()
    assert f"({options.setting})" in str(error.value)
    assert f"{options.section.host}:{options.section.port}" in str(error.value)
    assert PASSWORD not in str(error.value)
    assert "ng" not in options.section.password or options.section.password not in str(error.value)
    await store.aclose()


async def test_an_uncreatable_file_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    store = SqlAppStore(SqliteOptions(SqliteSettings(path=str(tmp_path / "nowhere" / "apps.db"))))
    with pytest.raises(DriverError, match=r"apps\.db cannot be used \(database\.sqlite\): .*No such file"):
        await store.start()
    await store.aclose()


async def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "apps.db"
    path.write_text("This is not a database, and it is long enough to show it." * 20)
    store = SqlAppStore(SqliteOptions(SqliteSettings(path=str(path))))
    with pytest.raises(DriverError, match="not a database"):
        await store.start()
    await store.aclose()


async def test_a_file_that_goes_away_is_missed_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "apps.db"
    store = SqlAppStore(SqliteOptions(SqliteSettings(path=str(path))))
    await store.start()
    await store.migrate()
    await store.create(record())
    path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(DriverError, match="unable to open"):
        await store.find_by_id("app")
    assert not path.exists()
    (tmp_path / "elsewhere.db").rename(path)
    assert await store.find_by_id("app") == record()
    await store.aclose()


async def test_unfit_values_are_refused_without_telling_a_secret(store_with_app: SqlAppStore) -> None:
    for wrong in ({"key": "k" * 256}, {"max_connections": 2**40}, {"secret": None}):
        with pytest.raises(DriverError) as error:
            await store_with_app.create(record("wrong") | {"secret": "hidden"} | wrong)
        assert "hidden" not in str(error.value)
        assert error.value.__cause__ is None
    assert await store_with_app.find_by_id("wrong") is None


async def test_a_database_that_ends_is_used_again_when_back(server: Server, store_with_app: SqlAppStore) -> None:
    assert await store_with_app.find_by_id("app") == record()
    server.kill()
    try:
        for _ in range(2):
            with pytest.raises(DriverError, match="cannot be used"):
                await store_with_app.find_by_id("app")
            with pytest.raises(DriverError, match="cannot be used"):
                await store_with_app.has_any()
    finally:
        server.start()
    assert await store_with_app.find_by_id("app") == record()
    assert await store_with_app.has_any()


# The libraries leave a socket to the garbage collector when they are given up in the wrong moment of connecting.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_database_that_hangs_is_used_again_afterwards(
    server: Server, store_with_app: SqlAppStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "_TIMEOUT", 0.5)
    # Connections are accepted for a process that hangs. Those of PostgreSQL that are open have their own processes.
    server.freeze()
    try:
        started = time.monotonic()
        questions = (store_with_app.find_by_id("nobody") for _ in range(30))
        answers = await asyncio.gather(*questions, return_exceptions=True)
        assert time.monotonic() - started < 5
        errors = [answer for answer in answers if answer is not None]
        assert errors
        assert all(isinstance(error, DriverError) and "no answer in 0.5 s" in str(error) for error in errors)
    finally:
        server.thaw()
    assert await store_with_app.find_by_id("app") == record()
    gc.collect()


# The libraries leave a socket to the garbage collector when they are given up in the wrong moment of connecting.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_database_that_hangs_holds_up_no_shutdown(server: Server, store_with_app: SqlAppStore) -> None:
    await asyncio.gather(*(store_with_app.find_by_id("app") for _ in range(20)))
    server.freeze()
    try:
        started = time.monotonic()
        await store_with_app.aclose()
        assert time.monotonic() - started < 8
    finally:
        server.thaw()
    gc.collect()


async def test_connections_are_encrypted_as_they_are_asked_to_be(server: Server) -> None:
    question = {
        "mysql": "SHOW SESSION STATUS LIKE 'Ssl_cipher'",
        "pgsql": "SELECT 'ssl', ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    }[server.options.driver]
    expected: dict[Tls, bool] = {"off": False, "prefer": True, "require": True, "verify": True}
    for tls, is_encrypted in expected.items():
        authority = str(server.authority) if tls == "verify" else None
        store = SqlAppStore(changed(server.options, tls=tls, tls_ca=authority))
        await store.start()
        async with store._connected() as connection:
            row = list((await connection.exec_driver_sql(question)).one())
        assert bool(row[1]) is is_encrypted, tls
        await store.aclose()


async def test_a_server_without_encryption_is_used_where_that_is_allowed() -> None:
    with running_mariadb(tls=False) as plain:
        allowed: tuple[Tls, ...] = ("off", "prefer")
        for tls in allowed:
            store = SqlAppStore(changed(plain.options, tls=tls))
            await store.start()
            await store.aclose()
        refused: tuple[Tls, ...] = ("require", "verify")
        for tls in refused:
            store = SqlAppStore(changed(plain.options, tls=tls))
            with pytest.raises(DriverError, match="SSL"):
                await store.start()
            await store.aclose()


async def test_a_certificate_that_nobody_vouches_for_is_refused(server: Server) -> None:
    store = SqlAppStore(changed(server.options, tls="verify"))
    with pytest.raises(DriverError, match="CERTIFICATE_VERIFY_FAILED"):
        await store.start()
    await store.aclose()


async def test_missing_authorities_are_an_error_that_names_the_setting(server: Server) -> None:
    store = SqlAppStore(changed(server.options, tls="verify", tls_ca="/nowhere.pem"))
    with pytest.raises(DriverError, match=rf"{server.options.setting}.*No such file"):
        await store.start()
    await store.aclose()


async def test_no_more_connections_open_than_allowed_and_few_stay(server: Server) -> None:
    store = SqlAppStore(changed(server.options, pool_min=2, pool_max=3, tls="off"))
    await store.start()
    await store.migrate()
    asked = asyncio.gather(*(store.find_by_id("app") for _ in range(200)))
    most = 0
    while not asked.done():
        most = max(most, await asyncio.to_thread(_connections, server))
    await asked
    assert 1 <= most <= 3
    assert _connections(server) <= 2
    await store.aclose()


def _connections(server: Server) -> int:
    """Count the connections over the network, without the one that asks."""
    if isinstance(server, MariaDbProcess):
        return int(server.run("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'sockudo'"))
    question = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = 'sockudo' AND pid <> pg_backend_pid()"
    return int(server.run(question))
