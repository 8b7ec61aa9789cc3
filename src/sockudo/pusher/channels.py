"""Parses channel names: checks the characters, and reads the kind from the prefix.

The kind of a channel is a set of independent flags, read from anchored prefixes, so that a cache variant can
never lose the authentication of the channel that it is a variant of.

Source: Pusher docs, `using_channels/channels` ("Channel naming conventions"). Besides Pusher's alphabet, `:` and
`#` are accepted, which Sockudo's users already have in their names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

SERVER_TO_USER: Final = "#server-to-user-"
DEFAULT_MAX_NAME_LENGTH: Final = 200

_NAME: Final = re.compile(r"[-A-Za-z0-9_=@,.;:#]+")


class InvalidChannelName(ValueError):
    """The text cannot be the name of a channel; the message says why."""


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """What the prefix of a name says about its channel.

    Attributes:
        private: a subscription needs a signature (every private and presence channel).
        presence: subscribers are members, known to each other.
        encrypted: the payload is opaque to the server, and clients cannot send events.
        cache: the last event is kept for those who subscribe later.
        user: `#server-to-user-ID`, open to connections signed in as ID only.
        label: the name of the kind in configuration and logs.
    """

    private: bool = False
    presence: bool = False
    encrypted: bool = False
    cache: bool = False
    user: bool = False
    label: str = "public"


PUBLIC: Final = ChannelKind()

# Longer prefixes first: "presence-cache-x" also starts with "presence-".
_KINDS: Final = (
    ("presence-cache-", ChannelKind(private=True, presence=True, cache=True, label="presence-cache")),
    ("presence-", ChannelKind(private=True, presence=True, label="presence")),
    (
        "private-encrypted-cache-",
        ChannelKind(private=True, encrypted=True, cache=True, label="private-encrypted-cache"),
    ),
    ("private-encrypted-", ChannelKind(private=True, encrypted=True, label="private-encrypted")),
    ("private-cache-", ChannelKind(private=True, cache=True, label="private-cache")),
    ("private-", ChannelKind(private=True, label="private")),
    ("cache-", ChannelKind(cache=True, label="cache")),
    (SERVER_TO_USER, ChannelKind(user=True, label="server-to-user")),
)


def kind_of(name: str) -> ChannelKind:
    """Return the kind of a channel by its name, which need not be valid."""
    for prefix, kind in _KINDS:
        if name.startswith(prefix):
            return kind
    return PUBLIC


# The same few names come with every request; the bound keeps a stream of made-up names from growing it: a full cache
# takes about 1 MB.
@lru_cache(maxsize=4096)
def _known(name: str) -> ChannelKind | None:
    return kind_of(name) if _NAME.fullmatch(name) else None


def parse_channel(name: str, max_length: int = DEFAULT_MAX_NAME_LENGTH) -> ChannelKind:
    """Return the kind of the channel `name`, of at most `max_length` characters.

    Raises:
        InvalidChannelName: the name is empty, too long or has other characters.
    """
    if len(name) > max_length:
        raise InvalidChannelName(
            f"Channel name too long: {len(name)} characters, the limit is {max_length} "
            "(max_channel_name_length of the app, or channel_limits.max_name_length)"
        )
    kind = _known(name)
    if kind is None:
        if not name:
            raise InvalidChannelName("Channel name is empty")
        raise InvalidChannelName(
            "Channel name contains invalid characters; allowed are letters, digits and - _ = @ , . ; : #"
        )
    return kind


def server_to_user(user_id: str) -> str:
    """Return the name of the channel that reaches every connection signed in as `user_id`."""
    return SERVER_TO_USER + user_id
