"""A database of apps at the start of the server: the schema is made, and the apps of the settings are put into it."""

from __future__ import annotations

from collections.abc import Sequence

from sockudo.apps.changes import put
from sockudo.apps.record import Record
from sockudo.apps.store import AppExistsError, AppStore
from sockudo.errors import ConfigError
from sockudo.log import get_logger

_log = get_logger("sockudo.apps")


async def prepare(store: AppStore, configured: Sequence[Record]) -> None:
    """Connect to a database and make it ready for serving.

    Raises:
        ConfigError: an app of the settings has a key that another app in the database has.
        DriverError: the database cannot be used.
    """
    await store.start()
    migration = await store.migrate()
    for step in migration.done:
        _log.info("database prepared", step=step)
    if migration.missing:
        _log.warning("columns are missing, and read as null", columns=migration.missing, reason=migration.reason)
    for record in configured:
        try:
            was_changed = await put(store, record)
        except AppExistsError as taken:
            raise ConfigError([f"app_manager.array.apps: app {record['id']}: {taken}"]) from None
        _log.info("app registered" if was_changed else "app is registered already", app=record["id"])
