"""Prepares the database of apps at the start of the server: makes the schema, and adds the apps of the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sockudo.apps.database.changes import put
from sockudo.apps.database.record import Record
from sockudo.apps.database.store import AppExistsError, AppStore
from sockudo.errors import ConfigError
from sockudo.log import get_logger

_log = get_logger("sockudo.apps")

# The most apps that a line of the log names.
_LISTED: Final = 50
_LONGEST_QUOTE: Final = 80


async def prepare(store: AppStore, configured: Sequence[Record]) -> list[str]:
    """Connect to a database and make it ready for serving; return the ids of the apps that were made or changed.

    Raises:
        ConfigError: an app of the settings has the key of another app in the database, or does not fit into it.
        DriverError: the database cannot be used.
    """
    await store.start()
    migration = await store.migrate()
    for step in migration.done:
        _log.info("database prepared", step=step)
    if migration.missing:
        _log.warning(
            "database columns are missing and read as null", columns=migration.missing, reason=migration.reason
        )
    changed = [record["id"] for record in configured if await _register(store, record)]
    if configured:
        _log.info("apps registered", apps=[record["id"] for record in configured][:_LISTED], changed=changed[:_LISTED])
    return changed


async def _register(store: AppStore, record: Record) -> bool:
    try:
        return await put(store, record)
    except AppExistsError as taken:
        raise ConfigError([_problem(record, str(taken))]) from None
    except ConfigError as error:
        raise ConfigError([_problem(record, problem) for problem in error.problems]) from None


def _problem(record: Record, what: str) -> str:
    return f"app_manager.array.apps: app {record['id'][:_LONGEST_QUOTE]}: {what}"
