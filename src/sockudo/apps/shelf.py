"""The memory of the app manager of a database: apps by id and key, and names that no app has."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from sockudo.apps.app import App

# By what an app is looked for, and the id or the key.
Name: TypeAlias = tuple[Literal["id", "key"], str]

MAX_APPS: Final = 10_000
MAX_ABSENT: Final = 10_000
# Seconds for which it is kept that there is no app, at most.
ABSENT_TTL: Final = 5.0
# Part of its time to live after which an app is asked for again when it is used.
_REFRESH_AFTER: Final = 0.75
# Seconds between two questions for an app that is remembered, at least.
PACE: Final = 1.0


class Entry:
    """An app that is remembered; times are monotonic seconds.

    Attributes:
        refresh_at: using it from then on is a reason to ask for it again.
        expires_at: from then on it is remembered, and no answer any more.
    """

    __slots__ = ("app", "expires_at", "refresh_at")

    def __init__(self, app: App, refresh_at: float, expires_at: float) -> None:
        self.app = app
        self.refresh_at = refresh_at
        self.expires_at = expires_at


class Shelf:
    """Bounded: of the apps, those that were asked for the longest time ago make room, and so do absent names.

    Attributes:
        ttl: seconds for which an app is an answer.
    """

    def __init__(self, ttl: float) -> None:
        self.ttl = ttl
        # In the order in which they were put here; apps that are used are put here again before their time is over.
        self._entries: dict[str, Entry] = {}
        self._ids: dict[str, str] = {}
        self._absent: dict[Name, float] = {}

    def find(self, app_id: str) -> Entry | None:
        """Return what is remembered of an app, however old."""
        return self._entries.get(app_id)

    def id_of(self, key: str) -> str | None:
        """Return the id of the app that had this key when it was put here, or None."""
        return self._ids.get(key)

    def put(self, app: App, now: float) -> None:
        """Remember an app; a key that it had before is not one of it any more."""
        self.remove(app.id)
        if len(self._entries) >= MAX_APPS:
            self.remove(next(iter(self._entries)))
        self._entries[app.id] = Entry(app, now + max(self.ttl * _REFRESH_AFTER, PACE), now + self.ttl)
        self._ids[app.key] = app.id
        self._absent.pop(("id", app.id), None)
        self._absent.pop(("key", app.key), None)

    def remove(self, app_id: str) -> None:
        """Remember nothing of an app."""
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
        """Tell whether it is remembered that no app has this id or key."""
        expires_at = self._absent.get(name)
        if expires_at is None:
            return False
        if now < expires_at:
            return True
        del self._absent[name]
        return False

    def expire(self, app_id: str) -> None:
        """Let neither the app be an answer nor that a name is absent: the key that the app has now is not known."""
        self._absent.clear()
        entry = self._entries.get(app_id)
        if entry is not None:
            entry.expires_at = 0.0
