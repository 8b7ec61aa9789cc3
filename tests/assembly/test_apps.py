"""What the databases of apps are told, by the settings of the original and by our own."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.apps.cached import CachedAppManager
from sockudo.apps.database.options import DynamoDbOptions, ScyllaDbOptions, SqliteOptions, SqlOptions
from sockudo.apps.memory import MemoryAppManager
from sockudo.assembly.apps import app_from_settings, app_manager_from_settings, app_store_from_settings, store_options
from sockudo.assembly.drivers import APP_STORES, app_store_class
from sockudo.config.model import Settings
from sockudo.config.sections.app import AppSettings
from sockudo.config.sections.dynamodb import DynamoDbSettings
from sockudo.config.sections.scylladb import ScyllaDbSettings
from sockudo.config.sections.sql_databases import SqliteSettings
from sockudo.errors import ConfigError, MissingExtraError
from tests.fakes.clock import FakeClock


def settings(driver: str, **database: Any) -> Settings:
    return Settings.model_validate({"app_manager": {"driver": driver}, "database": database})


def test_a_file_of_sqlite() -> None:
    assert store_options(settings("sqlite")) == SqliteOptions(SqliteSettings(path="sockudo.db"))
    options = store_options(settings("sqlite", sqlite={"path": "/a.db", "table_name": "apps"}))
    assert options == SqliteOptions(SqliteSettings(path="/a.db", table_name="apps"))


@pytest.mark.parametrize(("driver", "section"), [("mysql", "mysql"), ("pgsql", "postgres"), ("postgresql", "postgres")])
def test_a_sql_server(driver: str, section: str) -> None:
    told = {"host": "h", "port": 1, "username": "u", "password": "p@/", "database": "d", "table_name": "t"}
    told |= {"tls": "verify", "tls_ca": "/ca.pem"}
    options = store_options(settings(driver, **{section: told}))
    assert isinstance(options, SqlOptions)
    assert options.driver == ("mysql" if driver == "mysql" else "pgsql")
    assert (options.setting, options.pool_min, options.pool_max) == (f"database.{section}", 2, 10)
    assert {name: getattr(options.section, name) for name in told} == told


@pytest.mark.parametrize(
    ("pooling", "own", "size"),
    [
        ({}, {}, (2, 10)),
        ({"min": 3, "max": 5}, {}, (3, 5)),
        ({"min": 3, "max": 5}, {"pool_min": 1, "pool_max": 2}, (1, 2)),
        ({"min": 9, "max": 5}, {}, (5, 5)),
        ({"enabled": False, "min": 3, "max": 5}, {"pool_min": 1, "connection_pool_size": 7}, (0, 7)),
    ],
)
def test_the_size_of_a_pool(pooling: dict[str, Any], own: dict[str, Any], size: tuple[int, int]) -> None:
    document = {"app_manager": {"driver": "mysql"}, "database": {"mysql": own}, "database_pooling": pooling}
    options = store_options(Settings.model_validate(document))
    assert isinstance(options, SqlOptions)
    assert (options.pool_min, options.pool_max) == size


def test_a_table_of_dynamodb() -> None:
    default = DynamoDbSettings(region="us-east-1", table_name="sockudo-applications")
    assert store_options(settings("dynamodb")) == DynamoDbOptions(default)
    told = {"region": "r", "table_name": "table", "endpoint_url": "http://h:1", "aws_access_key_id": "i"}
    told |= {"aws_secret_access_key": "s", "aws_session_token": "t", "aws_profile_name": "p"}
    options = store_options(settings("dynamodb", dynamodb=told))
    assert isinstance(options, DynamoDbOptions)
    assert {name: getattr(options.section, name) for name in told} == told


def test_nodes_of_scylladb() -> None:
    options = store_options(settings("scylla"))
    assert options == ScyllaDbOptions(ScyllaDbSettings(keyspace="sockudo", table_name="applications"))
    assert options.nodes == (("127.0.0.1", 9042),)
    told: dict[str, Any] = {"keyspace": "k", "table_name": "t", "username": "u", "password": "p"}
    told |= {"replication_class": "NetworkTopologyStrategy", "replication_factor": 5}
    options = store_options(settings("scylladb", scylladb=told | {"nodes": ["a:1", "[::1]:1"]}))
    assert isinstance(options, ScyllaDbOptions)
    assert options.nodes == (("a", 1), ("::1", 1))
    assert {name: getattr(options.section, name) for name in told} == told
    without = store_options(settings("scylladb", scylladb={"nodes": ["a", "::1", "[::2]"]}))
    assert isinstance(without, ScyllaDbOptions)
    assert without.nodes == (("a", 9042), ("::1", 9042), ("::2", 9042))


def test_nodes_of_scylladb_have_one_port() -> None:
    with pytest.raises(ConfigError, match=r"database\.scylladb\.nodes: .*one port"):
        store_options(settings("scylladb", scylladb={"nodes": ["a:1", "b:2"]}))


def test_memory_has_no_database() -> None:
    assert isinstance(app_manager_from_settings(Settings(), FakeClock()), MemoryAppManager)
    with pytest.raises(ConfigError, match=r"app_manager\.driver: memory has the apps of the configuration"):
        app_store_from_settings(Settings())


@pytest.mark.parametrize("driver", sorted(APP_STORES))
def test_every_driver_on_offer_has_a_cached_store(driver: str) -> None:
    assert isinstance(app_manager_from_settings(settings(driver), FakeClock()), CachedAppManager)


@pytest.mark.parametrize(
    ("driver", "extra"),
    [
        ("sqlite", "sqlite"),
        ("mysql", "mysql"),
        ("pgsql", "postgres"),
        ("dynamodb", "dynamodb"),
        ("scylladb", "scylladb"),
    ],
)
def test_a_driver_without_its_library_names_its_extra(driver: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(APP_STORES, driver, "absent_library.driver:Store")
    with pytest.raises(MissingExtraError, match=rf"app_manager\.driver {driver} needs absent_library: .*\[{extra}\]"):
        app_store_class(driver)


@pytest.mark.parametrize(("driver", "library"), [("sqlite", "aiosqlite"), ("mysql", "asyncmy"), ("pgsql", "asyncpg")])
def test_a_sql_driver_needs_more_than_what_all_have(driver: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sockudo.assembly.drivers._NEEDS", {driver: f"absent_{library}"})
    with pytest.raises(MissingExtraError, match=f"needs absent_{library}"):
        app_store_class(driver)


def test_limits_that_an_app_leaves_open_are_the_global_ones() -> None:
    document = {
        "event_limits": {"max_batch_size": 7, "max_name_length": 8},
        "presence": {"max_members_per_channel": 9, "max_member_size_in_kb": 3},
        "channel_limits": {"max_name_length": 20},
    }
    app = AppSettings(id="a", key="k", secret="s", max_event_name_length=5)
    made = app_from_settings(app, Settings.model_validate(document))
    assert (made.publishing.max_batch_size, made.publishing.max_name_length) == (7, 5)
    assert (made.max_presence_members, made.max_presence_member_bytes) == (9, 3072)
    assert made.publishing.max_channel_name_length == 20
