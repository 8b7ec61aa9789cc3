"""Cuts the state of a node, or its changes, into small portions of work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeAlias

from sockudo.cluster.messages.state import AppState, ChannelState

# The most channels, members and users of one portion.
PORTION: Final = 25

Item: TypeAlias = tuple[str, ChannelState | bool | None]
"""A part of a channel; or a user that is signed in, or has signed out; or None for work without a change."""


def portions(apps: dict[str, AppState]) -> Iterator[dict[str, AppState]]:
    """Cut the state of apps; the portions in their order have the same effect as the whole."""
    for app_id, state in apps.items():
        first = AppState(state.connections, {}, [], [], state.events, state.reads)
        yield from cut(app_id, first, _items(state))


def cut(app_id: str, first: AppState, items: Iterable[Item]) -> Iterator[dict[str, AppState]]:
    """Collect items of one app into portions.

    Args:
        first: the first portion, still without items; the others repeat its number of connections.
    """
    portion, room = first, PORTION
    for name, item in items:
        if room <= 0 or name in portion.channels:
            yield {app_id: portion}
            portion, room = AppState(first.connections, {}, [], []), PORTION
        if isinstance(item, ChannelState):
            portion.channels[name] = item
            room -= len(item.joined) + len(item.left)
        elif item is not None:
            (portion.online if item else portion.offline).append(name)
        room -= 1
    yield {app_id: portion}


def split(channel: ChannelState) -> Iterator[ChannelState]:
    """Cut the state of a channel by its members."""
    if len(channel.joined) + len(channel.left) <= PORTION:
        yield channel
        return
    joined = iter(channel.joined.items())
    while members := dict(islice(joined, PORTION)):
        yield ChannelState(channel.count, members, [])
    for start in range(0, len(channel.left), PORTION):
        yield ChannelState(channel.count, {}, channel.left[start : start + PORTION])


def _items(state: AppState) -> Iterator[Item]:
    for name, channel in state.channels.items():
        for part in split(channel):
            yield name, part
    for user_id in state.online:
        yield user_id, True
    for user_id in state.offline:
        yield user_id, False
