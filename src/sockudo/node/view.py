"""A view of the whole cluster for this node: its own state merged with the replica. Every read is local."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sockudo.cluster.replication.replica import Replica
from sockudo.hub.hub import Hub
from sockudo.pusher.events import presence_roster


class View:
    """Counts, members and online users of all nodes together."""

    def __init__(self, hub: Hub, replica: Replica) -> None:
        self._hub = hub
        self._replica = replica

    def connection_count(self, app_id: str) -> int:
        """Return how many connections an app has."""
        return self._hub.connection_count(app_id) + self._replica.connection_count(app_id)

    def channel_count(self, app_id: str) -> int:
        """Return how many channels of an app have subscribers, those on several nodes counted twice at most."""
        return len(self._hub.channels(app_id)) + len(self._replica.channels(app_id))

    def channel_names(self, app_id: str) -> Iterator[str]:
        """Yield the channels of an app that have subscribers, each once; the table may change meanwhile."""
        here, there = list(self._hub.channels(app_id)), list(self._replica.channels(app_id))
        # Only where there are others can a name come twice.
        seen: set[str] = set()
        for channel in here:
            if there:
                seen.add(channel.name)
            yield channel.name
        for name in there:
            if name not in seen:
                yield name

    def is_occupied(self, app_id: str, name: str) -> bool:
        """Tell whether a channel has any subscriber."""
        return self._hub.channel(app_id, name) is not None or self._replica.channel(app_id, name) is not None

    def subscription_count(self, app_id: str, name: str) -> int:
        """Return how many connections are on a channel."""
        here, there = self._hub.channel(app_id, name), self._replica.channel(app_id, name)
        return (0 if here is None else here.count) + (0 if there is None else there.count)

    def has_member(self, app_id: str, name: str, user_id: str) -> bool:
        """Tell whether a user is on a presence channel."""
        here = self._hub.channel(app_id, name)
        if here is not None and here.members is not None and user_id in here.members:
            return True
        return self._replica.has_member(app_id, name, user_id)

    def members(self, app_id: str, name: str) -> Collection[str]:
        """Return the ids of the users on a presence channel, each once."""
        here, there = self._hub.channel(app_id, name), self._replica.channel(app_id, name)
        found: dict[str, None] = {} if here is None or here.members is None else dict.fromkeys(here.members)
        if there is not None:
            found.update(dict.fromkeys(there.members))
        return found

    def member_count(self, app_id: str, name: str) -> int:
        """Return how many users are on a presence channel."""
        here, there = self._hub.channel(app_id, name), self._replica.channel(app_id, name)
        members = None if here is None else here.members
        if there is None or not there.members:
            return 0 if members is None else len(members)
        return len(self.members(app_id, name))

    def roster(self, app_id: str, name: str) -> bytes:
        """Return the members as a newcomer is told of them (see `pusher.events.presence_roster`)."""
        here, there = self._hub.channel(app_id, name), self._replica.channel(app_id, name)
        members = None if here is None else here.members
        if there is None or not there.members:
            return presence_roster((), (), 0) if members is None else members.roster()
        ids, entries = ({}, {}) if members is None else members.pieces()
        all_ids, all_entries = there.ids | ids, there.entries | entries
        return presence_roster(all_ids.values(), all_entries.values(), len(all_ids))

    def is_online(self, app_id: str, user_id: str) -> bool:
        """Tell whether a user is signed in on any connection."""
        return self._hub.is_online(app_id, user_id) or self._replica.is_online(app_id, user_id)
