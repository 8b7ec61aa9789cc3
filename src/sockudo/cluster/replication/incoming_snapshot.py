"""A snapshot of another node while its parts arrive."""

from __future__ import annotations

from typing import Final

from sockudo.cluster.messages.state import AppState, ChannelState, SnapshotPart

# Five million channels and more.
MOST_PARTS: Final = 8192


class IncomingSnapshot:
    """Puts parts together, which come in their order; where one is missing, it begins anew with the next first one."""

    def __init__(self) -> None:
        self._number = 0
        self._parts = 0
        self._apps: dict[str, AppState] = {}

    def take(self, part: SnapshotPart) -> dict[str, AppState] | None:
        """Take a part; return what the node has when it was the last one."""
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
        """Forget what has come."""
        self._parts, self._apps = 0, {}

    def _add(self, apps: dict[str, AppState]) -> None:
        """Add what a part has; a channel with many members may be spread over several."""
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
