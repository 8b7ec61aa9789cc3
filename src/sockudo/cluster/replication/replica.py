"""Keeps the merged counts, members and online users of the other nodes, so that every query is a local read.

Rules: synchronous; a step returns the changes in the merged view of the OTHERS as values. The caller compares them with
the state of this node, to find out whether they are news to its clients.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import Enum
from typing import Final, NamedTuple

from sockudo.cluster.messages.state import AppState, ChannelState
from sockudo.cluster.replication.portions import Item, cut, split
from sockudo.pusher.events import roster_entry, roster_id


class ChangeKind(Enum):
    """The kind of a change among the others."""

    MEMBER_ADDED = "member_added"
    MEMBER_REMOVED = "member_removed"
    COUNT = "count"
    OCCUPIED = "occupied"
    VACATED = "vacated"
    ONLINE = "online"
    OFFLINE = "offline"
    QUOTA_USED = "quota_used"


class Change(NamedTuple):
    """One change among the others.

    Attributes:
        name: a channel; of ONLINE and OFFLINE a user id.
        user_id: of MEMBER_ADDED and MEMBER_REMOVED.
        user_info: JSON, of MEMBER_ADDED.
        events, reads: of QUOTA_USED, how much of the limits per second a node has used.
    """

    kind: ChangeKind
    app_id: str
    name: str
    user_id: str = ""
    user_info: bytes = b"{}"
    events: int = 0
    reads: int = 0


class RemoteChannel:
    """The part of a channel that is on other nodes.

    Attributes:
        counts: subscribers by node.
        count: their sum.
        members: user id -> node -> info (JSON).
        ids, entries: the members as pieces of a roster (see `pusher.events.presence_roster`).
    """

    __slots__ = ("count", "counts", "entries", "ids", "members")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.count = 0
        self.members: dict[str, dict[str, bytes]] = {}
        self.ids: dict[str, bytes] = {}
        self.entries: dict[str, bytes] = {}

    def set_count(self, node_id: str, count: int) -> bool:
        """Note how many subscribers a node has; return whether that is new."""
        before = self.counts.get(node_id, 0)
        self.count += count - before
        if count:
            self.counts[node_id] = count
        else:
            self.counts.pop(node_id, None)
        return count != before

    def add(self, node_id: str, user_id: str, user_info: bytes) -> bool:
        """Note a member on a node; return whether no other node had it."""
        nodes = self.members.setdefault(user_id, {})
        nodes[node_id] = user_info
        if len(nodes) > 1 or user_id in self.ids:
            return False
        self.ids[user_id] = roster_id(user_id)
        self.entries[user_id] = roster_entry(user_id, user_info)
        return True

    def has_other_info(self, node_id: str, user_id: str, user_info: bytes) -> bool:
        """Return whether a member is on this node only, and its known info is another one."""
        nodes = self.members.get(user_id)
        return nodes is not None and len(nodes) == 1 and nodes.get(node_id, user_info) != user_info

    def has_part_of(self, node_id: str) -> bool:
        """Return whether a node has subscribers or members here."""
        if node_id in self.counts:
            return True
        # Without this nearly every channel of a large cluster would start a loop over nothing.
        return bool(self.members) and any(node_id in nodes for nodes in self.members.values())

    def members_only_before(self, node_id: str, joined: dict[str, bytes]) -> list[str]:
        """Return the known members on a node that are missing in `joined`."""
        if not self.members:
            return []
        return [user_id for user_id, nodes in self.members.items() if node_id in nodes and user_id not in joined]

    def remove(self, node_id: str, user_id: str) -> bool:
        """Forget a member on a node; return whether it is on no other node."""
        nodes = self.members.get(user_id)
        if nodes is None or nodes.pop(node_id, None) is None or nodes:
            return False
        del self.members[user_id], self.ids[user_id], self.entries[user_id]
        return True


# Comparing this many channels or users is as much work as changing one.
_LOOKS: Final = 16


class RemoteApp:
    """The part of an app that is on other nodes."""

    __slots__ = ("channels", "connections", "online")

    def __init__(self) -> None:
        self.connections: dict[str, int] = {}
        self.channels: dict[str, RemoteChannel] = {}
        self.online: dict[str, set[str]] = {}


class Replica:
    """Everything that this node knows of the other nodes."""

    def __init__(self) -> None:
        self._apps: dict[str, RemoteApp] = {}

    # Reading

    def channel(self, app_id: str, name: str) -> RemoteChannel | None:
        """Return a channel that other nodes have, or None."""
        app = self._apps.get(app_id)
        return None if app is None else app.channels.get(name)

    def app_ids(self) -> list[str]:
        """Return the ids of the apps that other nodes have something of."""
        return list(self._apps)

    def channels(self, app_id: str) -> Collection[str]:
        """Return the names of the channels that other nodes have."""
        app = self._apps.get(app_id)
        return () if app is None else app.channels

    def connection_count(self, app_id: str) -> int:
        """Return how many connections of an app other nodes have."""
        app = self._apps.get(app_id)
        return 0 if app is None else sum(app.connections.values())

    def is_online(self, app_id: str, user_id: str) -> bool:
        """Return whether a user is signed in on another node."""
        app = self._apps.get(app_id)
        return app is not None and user_id in app.online

    def has_member(self, app_id: str, name: str, user_id: str) -> bool:
        """Return whether a user is on a presence channel on another node."""
        channel = self.channel(app_id, name)
        return channel is not None and user_id in channel.members

    def sizes(self) -> tuple[int, int, int]:
        """Return how many connections, channels and signed-in users other nodes have, as far as is known here."""
        apps = self._apps.values()
        connections = sum(sum(app.connections.values()) for app in apps)
        return connections, sum(len(app.channels) for app in apps), sum(len(app.online) for app in apps)

    def held_by(self, node_ids: Collection[str]) -> Iterator[tuple[str, str, str | None] | None]:
        """Yield the channels and members of some nodes: app id, channel, and user id or None for the whole channel.

        The replica may change between two steps. None stands for a little work that has found nothing.
        """
        for app_id in list(self._apps):
            for number, name in enumerate(list(self.channels(app_id))):
                channel = self.channel(app_id, name)
                if channel is not None and not channel.counts.keys().isdisjoint(node_ids):
                    yield app_id, name, None
                elif number % _LOOKS == 0:
                    yield None
                for user_id, nodes in [] if channel is None else list(channel.members.items()):
                    if not nodes.keys().isdisjoint(node_ids):
                        yield app_id, name, user_id

    # Changing

    def apply(self, node_id: str, apps: dict[str, AppState]) -> list[Change]:
        """Merge a delta of a node."""
        changes: list[Change] = []
        for app_id, state in apps.items():
            app = self._apps.setdefault(app_id, RemoteApp())
            app.connections[node_id] = state.connections
            for name, channel_state in state.channels.items():
                changes += self._apply_channel(node_id, app_id, app, name, channel_state)
            changes += [
                Change(ChangeKind.ONLINE, app_id, user_id)
                for user_id in state.online
                if _add(app.online, user_id, node_id)
            ]
            changes += [
                Change(ChangeKind.OFFLINE, app_id, user_id)
                for user_id in state.offline
                if _discard(app.online, user_id, node_id)
            ]
            if state.events or state.reads:
                changes.append(Change(ChangeKind.QUOTA_USED, app_id, "", events=state.events, reads=state.reads))
            self._drop_if_empty(app_id, app, node_id)
        return changes

    def replacing(self, node_id: str, apps: dict[str, AppState]) -> Iterator[list[Change]]:
        """Replace the known state of a node by its snapshot, in steps; yield the changes of each.

        Between two steps other nodes may change; this one may not.
        """
        for app_id in dict.fromkeys((*self._apps, *apps)):
            state = apps.get(app_id) or AppState()
            first = AppState(state.connections, {}, [], [])
            for portion in cut(app_id, first, self._differences(node_id, app_id, state)):
                yield self.apply(node_id, portion)

    def purging(self, node_id: str) -> Iterator[list[Change]]:
        """Forget a node, in steps as above."""
        return self.replacing(node_id, {})

    def _differences(self, node_id: str, app_id: str, state: AppState) -> Iterator[Item]:
        """Yield the items that turn the known state of a node into its snapshot."""
        for name, new in state.channels.items():
            channel = self.channel(app_id, name)
            gone = [] if channel is None else channel.members_only_before(node_id, new.joined)
            if channel is None or gone or new.joined or new.count != channel.counts.get(node_id, 0):
                for part in split(ChannelState(new.count, new.joined, gone)):
                    yield name, part
            else:
                # So it is for most channels, after the bus was lost for a moment.
                yield name, None
        for number, name in enumerate(list(self.channels(app_id))):
            channel = self.channel(app_id, name)
            if channel is not None and name not in state.channels and channel.has_part_of(node_id):
                for part in split(ChannelState(0, {}, channel.members_only_before(node_id, {}))):
                    yield name, part
            elif number % _LOOKS == 0:
                yield name, None
        for user_id in state.online:
            yield user_id, True
        app = self._apps.get(app_id)
        online = set(state.online)
        for number, (user_id, nodes) in enumerate([] if app is None else list(app.online.items())):
            if node_id in nodes and user_id not in online:
                yield user_id, False
            elif number % _LOOKS == 0:
                yield user_id, None

    def _apply_channel(self, node_id: str, app_id: str, app: RemoteApp, name: str, state: ChannelState) -> list[Change]:
        channel = app.channels.get(name)
        if channel is None:
            channel = app.channels[name] = RemoteChannel()
            was_occupied = False
        else:
            was_occupied = True
        changes: list[Change] = []
        for user_id, user_info in state.joined.items():
            # The member left and joined again with other info between two deltas.
            if channel.has_other_info(node_id, user_id, user_info) and channel.remove(node_id, user_id):
                changes.append(Change(ChangeKind.MEMBER_REMOVED, app_id, name, user_id))
            if channel.add(node_id, user_id, user_info):
                changes.append(Change(ChangeKind.MEMBER_ADDED, app_id, name, user_id, user_info))
        changes += [
            Change(ChangeKind.MEMBER_REMOVED, app_id, name, user_id)
            for user_id in state.left
            if channel.remove(node_id, user_id)
        ]
        if channel.set_count(node_id, state.count):
            changes.append(Change(ChangeKind.COUNT, app_id, name))
        is_occupied = bool(channel.counts or channel.members)
        if not is_occupied:
            del app.channels[name]
        if is_occupied and not was_occupied:
            changes.insert(0, Change(ChangeKind.OCCUPIED, app_id, name))
        elif was_occupied and not is_occupied:
            changes.append(Change(ChangeKind.VACATED, app_id, name))
        return changes

    def _drop_if_empty(self, app_id: str, app: RemoteApp, node_id: str) -> None:
        if not app.connections.get(node_id):
            app.connections.pop(node_id, None)
        if not (app.connections or app.channels or app.online):
            del self._apps[app_id]


def _add(nodes_of: dict[str, set[str]], user_id: str, node_id: str) -> bool:
    nodes = nodes_of.setdefault(user_id, set())
    is_first = not nodes
    nodes.add(node_id)
    return is_first


def _discard(nodes_of: dict[str, set[str]], user_id: str, node_id: str) -> bool:
    nodes = nodes_of.get(user_id)
    if nodes is None or node_id not in nodes:
        return False
    nodes.discard(node_id)
    if nodes:
        return False
    del nodes_of[user_id]
    return True
