"""Changes apps in a database, and enforces rules that not every database enforces itself: ids and keys are unique.

These functions refuse values that do not fit before they ask the database, because errors of databases are hard to
read, and some databases accept values that they cannot find again.
"""

from __future__ import annotations

from sockudo.apps.database.record import LONGEST_NAME, PROPERTIES, PropertyKind, Record, is_possible_name
from sockudo.apps.database.store import AppExistsError, AppStore
from sockudo.errors import ConfigError


async def create(store: AppStore, record: Record) -> None:
    """Add an app.

    Raises:
        AppExistsError: its id or key is taken.
        ConfigError: a value does not fit into the database.
        DriverError: the database cannot be used.
    """
    _check_values(store, record)
    await _check_key(store, record)
    await store.create(record)


async def replace(store: AppStore, record: Record) -> bool:
    """Replace the app with the id of the record; return False if there is none.

    Raises:
        AppExistsError: its key is taken.
        ConfigError: a value does not fit into the database.
        DriverError: the database cannot be used.
    """
    _check_values(store, record)
    await _check_key(store, record)
    return await store.update(record)


async def put(store: AppStore, record: Record) -> bool:
    """Create or replace an app, so that it equals the record; return False if it does already.

    Raises:
        AppExistsError: its key is taken.
        ConfigError: a value does not fit into the database.
        DriverError: the database cannot be used.
    """
    there = await store.find_by_id(record["id"])
    if there is None:
        try:
            await create(store, record)
        except AppExistsError:
            # Another node that starts with the same settings may have been faster.
            there = await store.find_by_id(record["id"])
            if there is None:
                raise
        else:
            return True
    return there != record and await replace(store, record)


def _check_values(store: AppStore, record: Record) -> None:
    problems = [
        f"{name}: expected 1 to {LONGEST_NAME} characters, as databases take them, got {len(record[name])}"
        for name in ("id", "key")
        if not is_possible_name(record[name])
    ]
    largest = store.largest_count
    if largest is not None:
        problems += [
            f"{name}: expected an integer between 0 and {largest} in this database (app_manager.driver), got {count}"
            for name, count in ((one.name, record[one.name]) for one in PROPERTIES if one.kind is PropertyKind.COUNT)
            if count is not None and count > largest
        ]
    if problems:
        raise ConfigError(problems)


async def _check_key(store: AppStore, record: Record) -> None:
    other = await store.find_by_key(record["key"])
    if other is not None and other["id"] != record["id"]:
        raise AppExistsError(f"there is an app with the key {record['key']} already")
