"""The signed-in users of one app, and the connections of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sockudo.hub.connection import Connection


class Users:
    """Signed-in users; a user is online while signed in on at least one connection."""

    __slots__ = ("_connections",)

    def __init__(self) -> None:
        self._connections: dict[str, dict[Connection, None]] = {}

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._connections

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[str]:
        return iter(self._connections)

    def add(self, user_id: str, connection: Connection) -> bool:
        """Note a signed-in connection; return whether the user has just come online."""
        connections = self._connections.setdefault(user_id, {})
        connections[connection] = None
        return len(connections) == 1

    def remove(self, user_id: str, connection: Connection) -> bool:
        """Forget a connection; return whether the user has just gone offline."""
        connections = self._connections.get(user_id)
        if connections is None or connection not in connections:
            return False
        del connections[connection]
        if connections:
            return False
        del self._connections[user_id]
        return True

    def connections(self, user_id: str) -> Collection[Connection]:
        """Return the connections signed in as `user_id`."""
        return self._connections.get(user_id, {})
