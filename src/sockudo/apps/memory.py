"""The app manager for apps that the configuration lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sockudo.apps.app import App
from sockudo.errors import DriverError


class MemoryAppManager:
    """An `AppManager` over a fixed list of apps, whose ids and keys differ."""

    def __init__(self, apps: Iterable[App]) -> None:
        self._by_id = {app.id: app for app in apps}
        self._by_key = {app.key: app for app in self._by_id.values()}

    def by_id(self, app_id: str) -> App | None:
        """Return the app with this id, or None."""
        return self._by_id.get(app_id)

    def by_key(self, key: str) -> App | None:
        """Return the app with this key, or None."""
        return self._by_key.get(key)

    def known(self, app_id: str) -> App | None:
        """Return the app with this id, or None."""
        return self._by_id.get(app_id)

    def forget(self, app_id: str) -> None:
        """Do nothing: the list never changes."""

    def all(self) -> Collection[App]:
        """Return every app."""
        return self._by_id.values()

    async def start(self) -> tuple[()]:
        """Do nothing."""
        return ()

    def check(self) -> None:
        """Memory can always be used.

        Raises:
            DriverError: there is no app.
        """
        if not self._by_id:
            raise DriverError("there is no app: add one to the configuration (app_manager.array.apps)")

    async def aclose(self) -> None:
        """Do nothing."""
