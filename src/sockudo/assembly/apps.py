"""Makes the app manager that the settings ask for."""

from __future__ import annotations

from typing import Final, TypeAlias

from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.apps.cached import CachedAppManager
from sockudo.apps.database.options import DynamoDbOptions, ScyllaDbOptions, SqlDriver, SqliteOptions, SqlOptions
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

_Options: TypeAlias = SqliteOptions | SqlOptions | DynamoDbOptions | ScyllaDbOptions

_KILOBYTE: Final = 1024


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
            return SqliteOptions(database.sqlite)
        case "mysql":
            return _sql_server("mysql", database.mysql, settings)
        case "pgsql":
            return _sql_server("pgsql", database.postgres, settings)
        case "dynamodb":
            return DynamoDbOptions(database.dynamodb)
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


def _sql_server(driver: SqlDriver, section: MysqlSettings | PostgresSettings, settings: Settings) -> SqlOptions:
    pool = pool_size(section, settings.database_pooling)
    return SqlOptions(driver, section, pool.low, pool.high)


def _scylladb(settings: Settings) -> ScyllaDbOptions:
    options = ScyllaDbOptions(settings.database.scylladb)
    ports = sorted({port for _, port in options.nodes})
    if len(ports) > 1:
        raise ConfigError([f"database.scylladb.nodes: all nodes must have one port, and these have {ports}"])
    return options
