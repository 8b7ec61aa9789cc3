"""Changes of apps in a database, with the rules that not every database keeps itself: ids and keys are unique."""

from __future__ import annotations

from sockudo.apps.record import Record
from sockudo.apps.store import AppExistsError, AppStore


async def create(store: AppStore, record: Record) -> None:
    """Add an app.

    Raises:
        AppExistsError: its id or key is taken.
        DriverError: the database cannot be used.
    """
    await _check_key(store, record)
    await store.create(record)


async def replace(store: AppStore, record: Record) -> bool:
    """Replace the app with the id of the record; return False where there is none.

    Raises:
        AppExistsError: its key is taken.
        DriverError: the database cannot be used.
    """
    await _check_key(store, record)
    return await store.update(record)


async def put(store: AppStore, record: Record) -> bool:
    """See to it that an app is as in the record; return False where it is already.

    Raises:
        AppExistsError: its key is taken.
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


async def _check_key(store: AppStore, record: Record) -> None:
    other = await store.find_by_key(record["key"])
    if other is not None and other["id"] != record["id"]:
        raise AppExistsError(f"there is an app with the key {record['key']} already")
