"""Where apps come from."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from sockudo.apps.app import App


class AppManager(Protocol):
    """Finds apps. Both look-ups are on the path of every request and connection, and answer from memory."""

    def by_id(self, app_id: str) -> App | None:
        """Return the app with this id, or None."""

    def by_key(self, key: str) -> App | None:
        """Return the app with this key, or None."""

    def all(self) -> Collection[App]:
        """Return every app."""
