"""Apps in SQL databases keep the contract of every store."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest

from sockudo.apps.database.options import SqliteOptions, SqlOptions
from sockudo.apps.database.sql import SqlAppStore
from sockudo.config.sections.sql_databases import SqliteSettings
from tests.contracts.app_store import AppStoreContract, MakeStore, SchemaContract
from tests.servers.mariadb_server import MariaDbProcess
from tests.servers.postgres_server import PostgresProcess
from tests.support.sections import changed

Options: TypeAlias = SqliteOptions | SqlOptions

_numbers = count()


class SqlContract(AppStoreContract, SchemaContract):
    @pytest.fixture
    def make_store(self, options: Options) -> MakeStore:
        return lambda: SqlAppStore(options)

    @pytest.fixture
    def new_store(self, options: Options) -> MakeStore:
        new = changed(options, table_name=f"apps-{next(_numbers)}")
        return lambda: SqlAppStore(new)


class TestSqlite(SqlContract):
    @pytest.fixture
    def options(self, tmp_path: Path) -> SqliteOptions:
        return SqliteOptions(SqliteSettings(path=str(tmp_path / "a file? with #odd% characters.db")))


class TestMariaDb(SqlContract):
    @pytest.fixture
    def options(self, mariadb: MariaDbProcess) -> SqlOptions:
        return mariadb.options


class TestPostgres(SqlContract):
    @pytest.fixture
    def options(self, postgres: PostgresProcess) -> SqlOptions:
        return postgres.options
