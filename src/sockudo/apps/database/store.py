"""The interface of a database of apps: it moves records, and knows nothing of what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from sockudo.apps.database.record import Record
from sockudo.errors import SockudoError


class AppExistsError(SockudoError):
    """An app has the id or the key already. The message says which."""


@dataclass(slots=True)
class Migration:
    """What has become of a schema.

    Attributes:
        done: what was made or added, for people.
        missing: names of columns that are not there and may not be added; they are read as null.
        reason: why not.
    """

    done: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    reason: str = ""


class AppStore(Protocol):
    """A database of apps.

    Every method but `aclose` raises `DriverError` while the database cannot be used, after a few seconds at the
    latest; the message names the setting and no secret.

    Attributes:
        largest_count: the largest number that fits into its columns; None where every number of an app does.
    """

    largest_count: int | None

    async def start(self) -> None:
        """Connect."""

    async def migrate(self) -> Migration:
        """Make what is missing of the schema, and change nothing that is there; may run on several nodes at once.

        Raises:
            DriverError: what cannot be done without is missing, and may not be made.
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
            AppExistsError: there is an app with this id, or with this key where the database keeps keys apart.
        """

    async def update(self, record: Record) -> bool:
        """Replace every property of the app with the id of the record; return False where there is none.

        Raises:
            AppExistsError: another app has this key, where the database keeps keys apart.
        """
        ...

    async def delete(self, app_id: str) -> bool:
        """Remove an app; return False where there is none."""
        ...

    async def has_any(self) -> bool:
        """Tell whether there is an app at all."""
        ...

    async def aclose(self) -> None:
        """Release every connection; safe to call again."""
