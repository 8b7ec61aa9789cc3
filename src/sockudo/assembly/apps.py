"""Settings -> the app manager."""

from __future__ import annotations

from typing import Final, TypeAlias

from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.apps.cached import CachedAppManager
from sockudo.apps.database.options import DynamoDbOptions, ScyllaDbOptions, SqlDriver, SqlOptions
from sockudo.apps.database.record import Record
from sockudo.apps.database.store import AppStore
from sockudo.apps.memory import MemoryAppManager
from sockudo.apps.origins import AllowedOrigins
from sockudo.assembly.drivers import app_store_class
from sockudo.assembly.webhooks import webhooks_from_settings
from sockudo.config.app_record import app_from_record, record_from_app
from sockudo.config.model import Settings
from sockudo.config.sections.app import AppSettings
from sockudo.config.sections.sql_databases import MysqlSettings, PostgresSettings, pool_size
from sockudo.errors import ConfigError
from sockudo.pusher.signatures import Signer
from sockudo.pusher.triggers import TriggerLimits
from sockudo.timing.clock import Clock

_Options: TypeAlias = SqlOptions | DynamoDbOptions | ScyllaDbOptions

_KILOBYTE: Final = 1024
_CQL_PORT: Final = 9042


def app_manager_from_settings(settings: Settings, clock: Clock) -> AppManager:
    """Return what finds apps, not started.

    Raises:
        ConfigError: the driver lacks a setting.
        MissingExtraError: what the driver needs is not installed.
    """
    if settings.app_manager.driver == "memory":
        return MemoryAppManager(app_from_settings(app, settings) for app in settings.apps)

    def make_app(record: Record) -> App:
        return app_from_settings(app_from_record(record), settings)

    cache = settings.app_manager.cache
    configured = [record_from_app(app) for app in settings.apps]
    return CachedAppManager(
        app_store_from_settings(settings), make_app, clock, cache.ttl if cache.enabled else 0, configured
    )


def app_store_from_settings(settings: Settings) -> AppStore:
    """Return the database of apps, not started.

    Raises:
        ConfigError: there is none, or the driver lacks a setting.
        MissingExtraError: what the driver needs is not installed.
    """
    options = store_options(settings)
    store: AppStore = app_store_class(settings.app_manager.driver)(options)
    return store


def store_options(settings: Settings) -> _Options:
    """Return what the database of apps is told.

    Raises:
        ConfigError: there is none, or the driver lacks a setting.
    """
    database = settings.database
    match settings.app_manager.driver:
        case "sqlite":
            return SqlOptions("sqlite", "database.sqlite", database.sqlite.path, database.sqlite.table_name)
        case "mysql":
            return _server("mysql", "database.mysql", database.mysql, settings)
        case "pgsql":
            return _server("pgsql", "database.postgres", database.postgres, settings)
        case "dynamodb":
            return _dynamodb(settings)
        case "scylladb":
            return _scylladb(settings)
    raise ConfigError(
        ["app_manager.driver: memory has the apps of the configuration and no database; change them there"]
    )


def app_from_settings(app: AppSettings, settings: Settings) -> App:
    """Return an app with the limits that it leaves open taken from the global ones."""

    def limit(own: int | None, everyones: int) -> int:
        return everyones if own is None else own

    events, presence = settings.event_limits, settings.presence
    return App(
        id=app.id,
        key=app.key,
        signer=Signer(app.secret),
        publishing=TriggerLimits(
            max_channels=limit(app.max_event_channels_at_once, events.max_channels_at_once),
            max_name_length=limit(app.max_event_name_length, events.max_name_length),
            max_payload_bytes=limit(app.max_event_payload_in_kb, events.max_payload_in_kb) * _KILOBYTE,
            max_batch_size=limit(app.max_event_batch_size, events.max_batch_size),
            max_channel_name_length=limit(app.max_channel_name_length, settings.channel_limits.max_name_length),
        ),
        enabled=app.enabled,
        max_connections=app.max_connections,
        enable_client_messages=app.enable_client_messages,
        max_client_events_per_second=app.max_client_events_per_second,
        max_backend_events_per_second=app.max_backend_events_per_second,
        max_read_requests_per_second=app.max_read_requests_per_second,
        max_presence_members=limit(app.max_presence_members_per_channel, presence.max_members_per_channel),
        max_presence_member_bytes=limit(app.max_presence_member_size_in_kb, presence.max_member_size_in_kb) * _KILOBYTE,
        enable_user_authentication=app.enable_user_authentication,
        enable_watchlist_events=app.enable_watchlist_events,
        enable_subscription_count=app.enable_subscription_count,
        origins=AllowedOrigins(app.allowed_origins) if app.allowed_origins else None,
        webhooks=webhooks_from_settings(app.webhooks),
    )


def _server(
    driver: SqlDriver, setting: str, section: MysqlSettings | PostgresSettings, settings: Settings
) -> SqlOptions:
    pool = pool_size(section, settings.database_pooling)
    return SqlOptions(
        driver,
        setting,
        section.database,
        section.table_name,
        section.host,
        section.port,
        section.username,
        section.password,
        pool_min=pool.low,
        pool_max=pool.high,
        tls=section.tls,
        tls_ca=section.tls_ca,
    )


def _dynamodb(settings: Settings) -> DynamoDbOptions:
    section = settings.database.dynamodb
    return DynamoDbOptions(
        section.region,
        section.table_name,
        section.endpoint_url,
        section.aws_access_key_id,
        section.aws_secret_access_key,
        section.aws_session_token,
        section.aws_profile_name,
    )


def _scylladb(settings: Settings) -> ScyllaDbOptions:
    section = settings.database.scylladb
    nodes = tuple(_host_and_port(node) for node in section.nodes)
    if len({port for _, port in nodes}) > 1:
        raise ConfigError(["database.scylladb.nodes: all nodes must have one port"])
    return ScyllaDbOptions(
        nodes,
        section.keyspace,
        section.table_name,
        section.username,
        section.password,
        section.replication_class,
        section.replication_factor,
    )


def _host_and_port(node: str) -> tuple[str, int]:
    host, colon, port = node.rpartition(":")
    if not colon or (node.count(":") > 1 and not host.endswith("]")):
        return node.strip("[]"), _CQL_PORT
    return host.strip("[]"), int(port)
