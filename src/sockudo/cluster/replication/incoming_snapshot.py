"""Collects the parts of another node's snapshot."""

from __future__ import annotations

from typing import Final

from sockudo.cluster.messages.state import AppState, ChannelState, SnapshotPart

# Five million channels and more.
MOST_PARTS: Final = 8192


class IncomingSnapshot:
    """Joins parts, which arrive in order; if one is missing, it begins anew with the next first one."""

    def __init__(self) -> None:
        self._number = 0
        self._parts = 0
        self._apps: dict[str, AppState] = {}

    def take(self, part: SnapshotPart) -> dict[str, AppState] | None:
        """Take a part; return the whole snapshot if it was the last one."""
        if part.part == 0:
            self.clear()
            self._number = part.number
        elif part.part != self._parts or part.number != self._number or part.part >= MOST_PARTS:
            self.clear()
            return None
        self._parts += 1
        self._add(part.apps)
        if not part.is_last:
            return None
        apps = self._apps
        self.clear()
        return apps

    def clear(self) -> None:
        """Forget all parts."""
        self._parts, self._apps = 0, {}

    def _add(self, apps: dict[str, AppState]) -> None:
        """Add a part; a channel with many members may be spread over several."""
        for app_id, state in apps.items():
            into = self._apps.setdefault(app_id, AppState(0, {}, [], []))
            into.connections = state.connections
            into.online.extend(state.online)
            for name, channel in state.channels.items():
                known = into.channels.get(name)
                if known is None:
                    into.channels[name] = ChannelState(channel.count, dict(channel.joined), [])
                else:
                    known.count = channel.count
                    known.joined.update(channel.joined)
