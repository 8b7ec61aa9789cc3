"""The interface of a database of apps: it reads and writes records, and does not interpret them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from sockudo.apps.database.record import Record
from sockudo.errors import SockudoError


class AppExistsError(SockudoError):
    """Another app has the id or the key already. The message says which."""


@dataclass(slots=True)
class Migration:
    """The result of a migration.

    Attributes:
        done: the steps that were done, for people.
        missing: names of missing columns that may not be added; they are read as null.
        reason: why they may not be added.
    """

    done: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    reason: str = ""


class AppStore(Protocol):
    """A database of apps.

    Every method but `aclose` raises `DriverError` while the database cannot be used, after a few seconds at the
    latest; the message names the setting and no secret.

    Attributes:
        largest_count: the largest number that fits into its columns; None if every number of an app does.
    """

    largest_count: int | None

    async def start(self) -> None:
        """Connect."""

    async def migrate(self) -> Migration:
        """Make missing parts of the schema, and change no existing ones; may run on several nodes at once.

        Raises:
            DriverError: a necessary part is missing, and may not be made.
        """
        ...

    async def find_by_id(self, app_id: str) -> Record | None:
        """Return the app with exactly this id, or None."""
        ...

    async def find_by_key(self, key: str) -> Record | None:
        """Return the app with exactly this key, or None."""
        ...

    async def all(self) -> list[Record]:
        """Return every app, in no order."""
        ...

    async def create(self, record: Record) -> None:
        """Add an app.

        Raises:
            AppExistsError: there is an app with this id, or with this key if the database enforces unique keys.
        """

    async def update(self, record: Record) -> bool:
        """Replace every property of the app with the id of the record; return False if there is none.

        Raises:
            AppExistsError: another app has this key, if the database enforces unique keys.
        """
        ...

    async def delete(self, app_id: str) -> bool:
        """Remove an app; return False if there is none."""
        ...

    async def has_any(self) -> bool:
        """Return whether there is any app."""
        ...

    async def aclose(self) -> None:
        """Release every connection; safe to call again."""
