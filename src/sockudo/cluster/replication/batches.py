"""Splits the state of a node, or its changes, into messages of a bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from sockudo.cluster.messages.state import MOST_REPORTS, PART_BYTES, AppState, ChannelState, Report

# The members of a channel are added by so many bytes, so that a part is not much larger than it should be.
_SLICE_BYTES: Final = PART_BYTES // 8

Slice = tuple[dict[str, bytes], list[str], int]


class Batches:
    """Collects states of channels and users; each part is closed as soon as it is full.

    Args:
        connection_count: app id -> connections now, which every part repeats.
    """

    def __init__(self, connection_count: Callable[[str], int]) -> None:
        self._connection_count = connection_count
        self._closed: list[dict[str, AppState]] = []
        self._open: dict[str, AppState] = {}
        self._size = 0

    def app(self, app_id: str) -> AppState:
        """Return the state of an app in the part that is open."""
        if self._size > PART_BYTES:
            self._closed.append(self._open)
            self._open, self._size = {}, 0
        state = self._open.get(app_id)
        if state is None:
            state = self._open[app_id] = AppState(self._connection_count(app_id), {}, [], [])
            self._size += len(app_id) + 16
        return state

    def channel(self, app_id: str, name: str, count: int, members: Iterable[tuple[str, bytes | None]]) -> None:
        """Add a channel: its subscribers now, and users with their info (JSON), or None for one that is gone."""
        for joined, left, size in _slices(members):
            channels = self.app(app_id).channels
            known = channels.get(name)
            if known is None:
                channels[name] = ChannelState(count, joined, left)
                self._size += len(name) + 16
            else:
                known.joined.update(joined)
                known.left.extend(left)
            self._size += size

    def user(self, app_id: str, user_id: str, *, online: bool) -> None:
        """Add a user that is signed in, or has signed out."""
        state = self.app(app_id)
        (state.online if online else state.offline).append(user_id)
        self._size += len(user_id) + 4

    def closed(self) -> list[dict[str, AppState]]:
        """Take the parts that are full."""
        closed, self._closed = self._closed, []
        return closed

    def parts(self) -> list[dict[str, AppState]]:
        """Return everything that was added and not taken; one empty part if that is nothing."""
        return [*self._closed, self._open]


def batches_of(reports: list[Report]) -> list[list[Report]]:
    """Cut reports into one list for each message; one empty list if there are none."""
    found: list[list[Report]] = [[]]
    size = 0
    for report in reports:
        if len(found[-1]) >= MOST_REPORTS or size > PART_BYTES:
            found.append([])
            size = 0
        found[-1].append(report)
        size += len(report.app_id) + len(report.name) + len(report.user_id or "") + 16
    return found


def _slices(members: Iterable[tuple[str, bytes | None]]) -> Iterator[Slice]:
    """Yield members in slices; at least one, which may be empty."""
    joined: dict[str, bytes] = {}
    left: list[str] = []
    size = 0
    for user_id, user_info in members:
        if size > _SLICE_BYTES:
            yield joined, left, size
            joined, left, size = {}, [], 0
        if user_info is None:
            left.append(user_id)
            size += len(user_id) + 4
        else:
            joined[user_id] = user_info
            size += len(user_id) + len(user_info) + 8
    yield joined, left, size
