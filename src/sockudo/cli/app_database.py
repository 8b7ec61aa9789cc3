"""The work of the `sockudo apps` commands: change the database, then tell the nodes."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sockudo.apps.database import changes
from sockudo.apps.database.store import AppStore, Migration
from sockudo.apps.shelf import ABSENT_TTL
from sockudo.assembly.apps import app_store_from_settings
from sockudo.assembly.cluster import bus_from_settings
from sockudo.cluster.visitors import announce_apps
from sockudo.config.app_record import app_from_record, record_from_app
from sockudo.config.model import Settings
from sockudo.config.sections.app_manager import AppCacheSettings
from sockudo.errors import DriverError, SockudoError


class AppUnknownError(SockudoError):
    """There is no app with this id."""


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[AppStore]:
    store = app_store_from_settings(settings)
    try:
        await store.start()
        yield store
    finally:
        await store.aclose()


async def migrate(settings: Settings) -> Migration:
    """Make what is missing of the schema."""
    async with _database(settings) as store:
        return await store.migrate()


async def list_apps(settings: Settings) -> list[dict[str, Any]]:
    """Return every app, by id."""
    async with _database(settings) as store:
        return sorted(await store.all(), key=lambda record: str(record["id"]))


async def create(settings: Settings, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Add an app and return it; of its identity, what is not given is made up. The table is made where it is missing.

    Raises:
        AppExistsError: the id or the key is taken.
        ConfigError: the properties make no app.
    """
    made_up = {"id": str(secrets.randbelow(900_000_000) + 100_000_000), "key": new_key(), "secret": new_secret()}
    given = {name: value for name, value in properties.items() if value is not None}
    record = record_from_app(app_from_record(made_up | given))
    async with _database(settings) as store:
        await store.migrate()
        await changes.create(store, record)
    return record


async def update(settings: Settings, app_id: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Change some properties of an app and return it.

    Raises:
        AppExistsError: the key is taken.
        AppUnknownError: there is no such app.
        ConfigError: what comes of it is no app.
    """
    async with _database(settings) as store:
        found = await store.find_by_id(app_id)
        if found is None:
            raise _unknown(app_id)
        record = record_from_app(app_from_record({**found, **properties}))
        if not await changes.replace(store, record):
            raise _unknown(app_id)
    return record


async def delete(settings: Settings, app_id: str) -> None:
    """Remove an app.

    Raises:
        AppUnknownError: there is no such app.
    """
    async with _database(settings) as store:
        if not await store.delete(app_id):
            raise _unknown(app_id)


async def announce(settings: Settings, app_id: str, *, is_new: bool = False) -> str | None:
    """Tell the nodes that an app has been changed; return when they notice it otherwise, where they cannot be told."""
    later = _noticed(settings.app_manager.cache, is_new)
    adapter, _ = bus_from_settings(settings)
    if adapter is None:
        return f"Servers that are running notice it {later}."
    try:
        await announce_apps(adapter, [app_id])
    except DriverError as error:
        return f"The nodes could not be told, and notice it {later}: {error}"
    return None


def _noticed(cache: AppCacheSettings, is_new: bool) -> str:
    """Return when a change is noticed by a node that has not been told."""
    if not cache.enabled or not cache.ttl:
        return "at once"
    if is_new and cache.ttl > ABSENT_TTL:
        return f"within {ABSENT_TTL:g} s"
    return f"within {cache.ttl} s (app_manager.cache.ttl)"


def new_key() -> str:
    """Return a key that nobody has."""
    return secrets.token_hex(10)


def new_secret() -> str:
    """Return a secret that nobody guesses."""
    return secrets.token_hex(16)


def _unknown(app_id: str) -> AppUnknownError:
    return AppUnknownError(f"there is no app with the id {app_id}")
