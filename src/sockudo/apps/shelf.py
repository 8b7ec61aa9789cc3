"""The memory of the app manager of a database: apps by id and key, and names that no app has."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from sockudo.apps.app import App

# Whether the name is an id or a key, and the id or the key itself.
Name: TypeAlias = tuple[Literal["id", "key"], str]

MAX_APPS: Final = 10_000
MAX_ABSENT: Final = 10_000
# The longest time for which an absent name is remembered, in seconds.
ABSENT_TTL: Final = 5.0
# The part of its time to live after which a used app is looked up again.
_REFRESH_AFTER: Final = 0.75
# The shortest time between two look-ups of a remembered app, in seconds.
PACE: Final = 1.0


class Entry:
    """A remembered app; times are monotonic seconds.

    Attributes:
        refresh_at: a use from then on causes a new look-up in the background.
        expires_at: from then on the app is remembered, but not used as an answer.
    """

    __slots__ = ("app", "expires_at", "refresh_at")

    def __init__(self, app: App, refresh_at: float, expires_at: float) -> None:
        self.app = app
        self.refresh_at = refresh_at
        self.expires_at = expires_at


class Shelf:
    """Apps and absent names, both bounded: those whose look-up is oldest make room.

    Attributes:
        ttl: seconds for which an app is used as an answer.
    """

    def __init__(self, ttl: float) -> None:
        self.ttl = ttl
        # In the order in which they were put here; apps that are used are put here again before their time is over.
        self._entries: dict[str, Entry] = {}
        self._ids: dict[str, str] = {}
        self._absent: dict[Name, float] = {}

    def find(self, app_id: str) -> Entry | None:
        """Return a remembered app, however old."""
        return self._entries.get(app_id)

    def id_of(self, key: str) -> str | None:
        """Return the id of the app that had this key when it was remembered, or None."""
        return self._ids.get(key)

    def put(self, app: App, now: float) -> None:
        """Remember an app, and forget its former key."""
        self.remove(app.id)
        if len(self._entries) >= MAX_APPS:
            self.remove(next(iter(self._entries)))
        self._entries[app.id] = Entry(app, now + max(self.ttl * _REFRESH_AFTER, PACE), now + self.ttl)
        self._ids[app.key] = app.id
        self._absent.pop(("id", app.id), None)
        self._absent.pop(("key", app.key), None)

    def remove(self, app_id: str) -> None:
        """Forget an app."""
        entry = self._entries.pop(app_id, None)
        # Another app may have the key by now.
        if entry is not None and self._ids.get(entry.app.key) == app_id:
            del self._ids[entry.app.key]

    def put_absent(self, name: Name, now: float) -> None:
        """Remember for a moment that no app has this id or key."""
        if name[0] == "id":
            self.remove(name[1])
        self._absent.pop(name, None)
        if len(self._absent) >= MAX_ABSENT:
            del self._absent[next(iter(self._absent))]
        self._absent[name] = now + min(self.ttl, ABSENT_TTL)

    def is_absent(self, name: Name, now: float) -> bool:
        """Return whether no app has this id or key, as remembered."""
        expires_at = self._absent.get(name)
        if expires_at is None:
            return False
        if now < expires_at:
            return True
        del self._absent[name]
        return False

    def expire(self, app_id: str) -> None:
        """Use neither the app nor any absent name as an answer any more: the app's key may have changed."""
        self._absent.clear()
        entry = self._entries.get(app_id)
        if entry is not None:
            entry.expires_at = 0.0
