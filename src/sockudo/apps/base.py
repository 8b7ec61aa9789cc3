"""The interface of an app manager: it finds apps by id and by key, in memory or in a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sockudo.apps.app import App
from sockudo.eventual import Eventual


class AppFinder(Protocol):
    """Finds apps by their ids.

    An app in memory is returned at once. A future fails with `DriverError` if the store does not answer.
    """

    def by_id(self, app_id: str) -> Eventual[App | None]:
        """Return the app with this id, or None."""

    def known(self, app_id: str) -> App | None:
        """Return the app as memory has it, however old that is, or None; never wait."""

    def forget(self, app_id: str) -> None:
        """Note that the app has changed: the next look-up of its id or of its key asks the store."""


class AppManager(AppFinder, Protocol):
    """Finds apps. The look-ups are on the path of every request and connection."""

    def by_key(self, key: str) -> Eventual[App | None]:
        """Return the app with this key, or None."""

    async def start(self) -> Sequence[str]:
        """Get ready; return the ids of apps that this has changed in the store, which other nodes may know.

        Raises:
            ConfigError: an app of the settings cannot be put into the store.
            DriverError: the store cannot be used; the message names the setting.
        """

    def check(self) -> Eventual[None]:
        """Do nothing while apps can be found.

        Raises:
            DriverError: the store cannot be used, or there is no app at all; or the future fails with it.
        """
        ...

    async def aclose(self) -> None:
        """Release every resource; may be called again."""
