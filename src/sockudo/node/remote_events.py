"""What other nodes do, told to the clients of this one."""

from __future__ import annotations

from typing import Final

from sockudo.cluster.replication.replica import Change, ChangeKind
from sockudo.hub.channel import Channel
from sockudo.node.cached_events import CachedEvents
from sockudo.node.node import Node
from sockudo.pusher.channels import SERVER_TO_USER, kind_of
from sockudo.pusher.events import member_added, member_removed
from sockudo.websocket.frames import payload_of, text_frame

_MEMBERS: Final = (ChangeKind.MEMBER_ADDED, ChangeKind.MEMBER_REMOVED)


class RemoteEvents:
    """The `ClusterHandler` of a node. A change among the others is news here only if this node has no part in it."""

    def __init__(self, node: Node, cached_events: CachedEvents) -> None:
        self._node = node
        self._deliver = node.hub.deliver
        self._cached_events = cached_events

    def deliver(self, app_id: str, name: str, frame: bytes, except_id: str | None, is_stored: bool = False) -> None:
        """Hand an event of another node to the subscribers here, as it came."""
        # hot path
        if is_stored:
            self._cached_events.heard(app_id, name, payload_of(frame))
        if name.startswith(SERVER_TO_USER):
            self._node.hub.deliver_to_user(app_id, name[len(SERVER_TO_USER) :], frame, except_id)
        else:
            self._deliver(app_id, name, frame, except_id)

    def awaits(self, app_id: str, name: str) -> bool:
        """Tell whether the shared cache has been asked about a channel: its events may be newer than the answer."""
        return self._cached_events.is_asking(app_id, name)

    def keep(self, app_id: str, name: str, frame: bytes) -> None:
        """Keep an event of another node as the last one of its cache channel."""
        self._cached_events.keep(app_id, name, payload_of(frame))

    def terminate(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has here."""
        self._node.terminate_here(app_id, user_id)

    def force_reconnect(self, app_id: str, user_id: str) -> None:
        """End the connections that a user has here, so that its clients connect again."""
        self._node.reconnect_here(app_id, user_id)

    def app_changed(self, app_id: str) -> None:
        """Let the app be looked up anew."""
        self._node.apps.forget(app_id)

    def changed(self, changes: list[Change]) -> None:
        """Tell the clients here of what has changed on other nodes."""
        for change in changes:
            if change.kind is ChangeKind.QUOTA_USED:
                self._node.quotas.used_elsewhere(change.app_id, change.events, change.reads)
            elif change.kind in (ChangeKind.ONLINE, ChangeKind.OFFLINE):
                self._user_changed(change)
            else:
                self._channel_changed(change)

    def _channel_changed(self, change: Change) -> None:
        hub = self._node.hub
        channel = hub.channel(change.app_id, change.name)
        if self._node.webhooks.is_on:
            self._report(change, channel)
        if channel is None:
            return
        if change.kind is ChangeKind.COUNT:
            self._node.announcer.count_changed(change.app_id, channel)
        elif change.kind in _MEMBERS and channel.members is not None and change.user_id not in channel.members:
            if change.kind is ChangeKind.MEMBER_ADDED:
                payload = member_added(change.name, change.user_id, change.user_info)
            else:
                payload = member_removed(change.name, change.user_id)
            channel.broadcast(text_frame(payload))
            hub.flusher.wake()

    def _report(self, change: Change, channel: Channel | None) -> None:
        """Tell webhooks of what is news for the whole cluster."""
        webhooks, app_id, name = self._node.webhooks, change.app_id, change.name
        is_member_here = channel is not None and channel.members is not None and change.user_id in channel.members
        match change.kind:
            case ChangeKind.OCCUPIED if channel is None:
                webhooks.channel_occupied(app_id, name)
            case ChangeKind.VACATED if channel is None:
                webhooks.channel_vacated(app_id, name)
            case ChangeKind.MEMBER_ADDED if not is_member_here:
                webhooks.member_added(app_id, name, change.user_id)
            case ChangeKind.MEMBER_REMOVED if not is_member_here:
                webhooks.member_removed(app_id, name, change.user_id)
            case ChangeKind.COUNT if not kind_of(name).presence:
                webhooks.subscription_count(app_id, name, self._node.view.subscription_count(app_id, name))

    def _user_changed(self, change: Change) -> None:
        if self._node.hub.is_online(change.app_id, change.name):
            return
        if change.kind is ChangeKind.ONLINE:
            self._node.watchlist.came_online(change.app_id, change.name)
        else:
            self._node.watchlist.went_offline(change.app_id, change.name)
