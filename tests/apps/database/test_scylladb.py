"""Apps in a database that speaks CQL, against Cassandra."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import pytest

from sockudo.apps.database import scylladb
from sockudo.apps.database.scylladb import ScyllaDbAppStore
from sockudo.errors import DriverError
from tests.contracts.app_store import AppStoreContract, MakeStore, SchemaContract, full_record
from tests.servers.cassandra_server import CassandraProcess
from tests.support.sections import changed

_numbers = count()


class TestScyllaDb(AppStoreContract, SchemaContract):
    @pytest.fixture
    def make_store(self, cassandra: CassandraProcess) -> MakeStore:
        return lambda: ScyllaDbAppStore(cassandra.options)

    @pytest.fixture
    def new_store(self, cassandra: CassandraProcess) -> MakeStore:
        new = changed(cassandra.options, keyspace=f"Keyspace_{next(_numbers)}")
        return lambda: ScyllaDbAppStore(new)


class TestATableOfOthers:
    async def test_missing_columns_and_index_are_added_and_nulls_are_read(self, cassandra: CassandraProcess) -> None:
        options = changed(cassandra.options, table_name="loose")
        store = ScyllaDbAppStore(options)
        await store.start()
        await store.migrate()
        assert store._session is not None
        for statement in (
            "CREATE TABLE sockudo.loose2 (id text PRIMARY KEY, key text, secret text, max_connections int, "
            "enabled boolean, allowed_origins text, created_at timestamp)",
            "INSERT INTO sockudo.loose2 (id, key, secret) VALUES ('1', 'k', 's')",
            "INSERT INTO sockudo.loose2 (id, key, secret, allowed_origins) VALUES ('2', 'l', 's', '[\"a.example\"]')",
        ):
            await store._answer(statement, (), 30)
        await store.aclose()

        store = ScyllaDbAppStore(changed(options, table_name="loose2"))
        await store.start()
        for _ in range(2):
            first, second = await store.find_by_id("1"), await store.find_by_id("2")
            assert first is not None
            assert second is not None
            assert (first["max_connections"], first["enabled"], first["webhooks"]) == (None, None, None)
            assert second["allowed_origins"] == ["a.example"]
            await store.migrate()
        assert await store.find_by_key("k") == first
        await store.create(full_record())
        assert await store.find_by_id("full") == full_record()
        await store.aclose()

    async def test_a_user_who_may_not_create_tables_is_told_so(self, cassandra: CassandraProcess) -> None:
        store = ScyllaDbAppStore(cassandra.options)
        await store.start()
        await store.migrate()
        await store._answer("CREATE ROLE IF NOT EXISTS limited WITH PASSWORD = 'p' AND LOGIN = true", (), 30)
        await store._answer("GRANT SELECT ON KEYSPACE sockudo TO limited", (), 30)
        await store.aclose()
        store = ScyllaDbAppStore(changed(cassandra.options, table_name="another", username="limited", password="p"))
        await store.start()
        with pytest.raises(DriverError, match=r"no table sockudo\.another, and it cannot be made: .*CREATE permission"):
            await store.migrate()
        await store.aclose()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"password": "wrong"}, "Bad credentials|incorrect"),
        ({"nodes": ("127.0.0.1:1",)}, "refused"),
        ({"nodes": ("nowhere.invalid:1",)}, r"no address of database\.scylladb\.nodes"),
    ],
)
async def test_an_unusable_database_is_an_error_that_names_the_setting(
    cassandra: CassandraProcess, change: dict[str, Any], reason: str
) -> None:
    store = ScyllaDbAppStore(changed(cassandra.options, **change))
    with pytest.raises(DriverError, match=reason) as error:
        await store.start()
    assert "(database.scylladb)" in str(error.value)
    await store.aclose()


async def test_a_hanging_database_is_given_up_without_blocking_the_loop(
    cassandra: CassandraProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Connecting has as long, and a busy machine takes a part of it.
    monkeypatch.setattr(scylladb, "_TIMEOUT", 2)
    store = ScyllaDbAppStore(cassandra.options)
    await store.start()
    await store.migrate()
    cassandra.freeze()
    try:
        asked = asyncio.gather(*(store.find_by_id("app") for _ in range(20)), return_exceptions=True)
        turns = 0
        while not asked.done():
            turns += 1
            await asyncio.sleep(0.01)
        assert turns > 10
        assert all(isinstance(answer, DriverError) for answer in await asked)
    finally:
        cassandra.thaw()
    await answers_again(store)
    await store.aclose()


async def answers_again(store: ScyllaDbAppStore) -> None:
    """Wait until the library has found its way back, which it does by itself."""
    async with asyncio.timeout(30):
        while True:
            try:
                await store.find_by_id("app")
                return
            except DriverError:
                await asyncio.sleep(0.05)
