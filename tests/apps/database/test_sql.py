"""Apps in SQL databases keep the contract of every store."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from sockudo.apps.database.options import SqlOptions
from sockudo.apps.database.sql import SqlAppStore
from tests.contracts.app_store import AppStoreContract, MakeStore, SchemaContract
from tests.servers.mariadb_server import MariaDbProcess
from tests.servers.postgres_server import PostgresProcess

_numbers = count()


class SqlContract(AppStoreContract, SchemaContract):
    @pytest.fixture
    def make_store(self, options: SqlOptions) -> MakeStore:
        return lambda: SqlAppStore(options)

    @pytest.fixture
    def new_store(self, options: SqlOptions) -> MakeStore:
        new = replace(options, table=f"apps-{next(_numbers)}")
        return lambda: SqlAppStore(new)


class TestSqlite(SqlContract):
    @pytest.fixture
    def options(self, tmp_path: Path) -> SqlOptions:
        return SqlOptions("sqlite", "database.sqlite", str(tmp_path / "a file? with #odd% characters.db"))


class TestMariaDb(SqlContract):
    @pytest.fixture
    def options(self, mariadb: MariaDbProcess) -> SqlOptions:
        return mariadb.options


class TestPostgres(SqlContract):
    @pytest.fixture
    def options(self, postgres: PostgresProcess) -> SqlOptions:
        return postgres.options
