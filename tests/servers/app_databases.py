"""Every kind of database that apps can be in, as the settings of a server and as a store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from sockudo.apps.database.store import AppStore
from sockudo.assembly.apps import app_store_from_settings
from sockudo.config.model import Settings
from tests.servers.cassandra_server import CassandraProcess
from tests.servers.dynamodb_server import DynamoDbProcess
from tests.servers.mariadb_server import MariaDbProcess
from tests.servers.postgres_server import PostgresProcess

KINDS: Final = ("sqlite", "mariadb", "postgres", "cassandra", "dynamodb")
_numbers = count()


@dataclass(frozen=True)
class AppDatabase:
    """A database with a table that nobody else uses, which is not there yet.

    Attributes:
        driver: as `app_manager.driver` has it.
        section: of the settings below `database`, and what is in it.
        server: the process, or None for a file.
    """

    driver: str
    section: tuple[str, dict[str, Any]]
    server: MariaDbProcess | PostgresProcess | CassandraProcess | DynamoDbProcess | None = None

    def settings(self, *apps: dict[str, Any], ttl: int = 300, cache: bool = True) -> dict[str, Any]:
        """Return what a server is told, with apps to register."""
        name, section = self.section
        manager = {"driver": self.driver, "array": {"apps": list(apps)}, "cache": {"ttl": ttl, "enabled": cache}}
        return {"app_manager": manager, "database": {name: section}}

    def store(self) -> AppStore:
        """Return a store of the same table, as the command line would have it."""
        return app_store_from_settings(Settings.model_validate(self.settings()))

    def write_config(self, folder: Path, **more: Any) -> Path:
        """Write a configuration file."""
        path = folder / "config.json"
        path.write_text(json.dumps(self.settings() | more), "utf-8")
        return path


def make_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> AppDatabase:
    """Return a database of one kind; its server is started where it is needed for the first time."""
    table = f"apps_{next(_numbers)}"
    if kind == "sqlite":
        return AppDatabase("sqlite", ("sqlite", {"path": str(folder / "apps.db"), "table_name": table}))
    server = request.getfixturevalue(kind)
    told = server.options.section
    if kind == "cassandra":
        login = {"username": told.username, "password": told.password}
        section = {
            "nodes": list(told.nodes),
            "keyspace": "scenarios",
            "replication_factor": 1,
            "table_name": table,
        } | login
        return AppDatabase("scylla", ("scylladb", section), server)
    if kind == "dynamodb":
        login = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        section = {"endpoint_url": told.endpoint_url, "table_name": table} | login
        return AppDatabase("dynamodb", ("dynamodb", section), server)
    login = {"username": told.username, "password": told.password, "database": told.database}
    section = {"host": told.host, "port": told.port, "table_name": table} | login
    driver = "mysql" if kind == "mariadb" else "postgres"
    return AppDatabase(driver, (driver, section), server)


@pytest.fixture(params=KINDS)
def app_database(request: pytest.FixtureRequest, tmp_path: Path) -> AppDatabase:
    """Each kind of database in turn."""
    return make_database(request.param, request, tmp_path)


@pytest.fixture
def sqlite_database(request: pytest.FixtureRequest, tmp_path: Path) -> AppDatabase:
    """A file, where the kind of database makes no difference."""
    return make_database("sqlite", request, tmp_path)
