"""The members of one presence channel: users, each with any number of connections."""

from __future__ import annotations

from collections.abc import Iterator

from sockudo.pusher.events import presence_roster, roster_entry, roster_entry_info, roster_id
from sockudo.pusher.members import Identity


class Members:
    """The members of a presence channel, by user id.

    They keep the pieces of the roster encoded, so that a join costs a copy of the roster for the newcomer, and no work
    for each member.
    """

    __slots__ = ("_connections", "_entries", "_ids", "_roster")

    def __init__(self) -> None:
        self._connections: dict[str, int] = {}
        self._ids: dict[str, bytes] = {}
        self._entries: dict[str, bytes] = {}
        self._roster: bytes | None = None

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[str]:
        return iter(self._connections)

    def __contains__(self, user_id: str) -> bool:
        return user_id in self._connections

    def join(self, identity: Identity) -> bool:
        """Add one connection of a user; return whether the user is new here."""
        user_id = identity.user_id
        count = self._connections.get(user_id, 0)
        self._connections[user_id] = count + 1
        if count:
            return False
        self._ids[user_id] = roster_id(user_id)
        self._entries[user_id] = roster_entry(user_id, identity.user_info)
        self._roster = None
        return True

    def leave(self, user_id: str) -> bool:
        """Remove one connection of a user; return whether it was the last."""
        count = self._connections[user_id]
        if count > 1:
            self._connections[user_id] = count - 1
            return False
        del self._connections[user_id], self._ids[user_id], self._entries[user_id]
        self._roster = None
        return True

    def infos(self) -> Iterator[tuple[str, bytes]]:
        """Yield each user id with the user's info (JSON)."""
        for user_id, entry in self._entries.items():
            yield user_id, roster_entry_info(user_id, entry)

    def pieces(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Return the pieces of the roster by user id: elements of `ids`, entries of `hash`."""
        return self._ids, self._entries

    def roster(self) -> bytes:
        """Return the members as a newcomer receives them (see `pusher.events.presence_roster`)."""
        if self._roster is None:
            self._roster = presence_roster(self._ids.values(), self._entries.values(), len(self._ids))
        return self._roster
