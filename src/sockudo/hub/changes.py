"""The changes that a step of the hub returns; the node turns them into frames."""

from __future__ import annotations

from typing import NamedTuple

from sockudo.hub.channel import Channel


class Joined(NamedTuple):
    """A connection has joined a channel.

    Attributes:
        first_here: the channel had no other subscriber in this process.
        member_added: the user id that is new on the presence channel, or None.
    """

    channel: Channel
    first_here: bool
    member_added: str | None


class Left(NamedTuple):
    """A connection has left a channel.

    Attributes:
        last_here: the channel has no subscriber in this process any more.
        member_removed: the user id that is gone from the presence channel, or None.
    """

    channel: Channel
    last_here: bool
    member_removed: str | None


class Offline(NamedTuple):
    """A user has lost the last signed-in connection to this process."""

    user_id: str
