"""What nodes tell each other of their clients: deltas, snapshots, heartbeats. MessagePack arrays, no field names."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

# A part of a snapshot is closed above this, well below what any bus takes as one message.
PART_BYTES: Final = 128 * 1024


class ChannelState(msgspec.Struct, array_like=True, gc=False):
    """A node's part of a channel.

    Attributes:
        count: its subscribers now; 0 removes the channel.
        joined: users that have come, with their info (JSON); in a snapshot all of them.
        left: users that are gone.
    """

    count: int = 0
    joined: dict[str, bytes] = {}  # msgspec copies an empty default for each instance
    left: list[str] = []  # as above


class AppState(msgspec.Struct, array_like=True, gc=False):
    """A node's part of an app.

    Attributes:
        connections: its connections now.
        channels: those that have changed; in a snapshot all of them.
        online: users that have signed in on a first connection; in a snapshot all that are signed in.
        offline: users whose last connection is gone.
    """

    connections: int = 0
    channels: dict[str, ChannelState] = {}  # msgspec copies an empty default for each instance
    online: list[str] = []  # as above
    offline: list[str] = []  # as above


class Delta(msgspec.Struct, array_like=True, gc=False):
    """What has changed on a node; each has the number after the one before."""

    number: int
    apps: dict[str, AppState]


class SnapshotPart(msgspec.Struct, array_like=True, gc=False):
    """A part of everything a node has, as it was after the delta `number`."""

    number: int
    part: int
    parts: int
    apps: dict[str, AppState]


class Heartbeat(msgspec.Struct, array_like=True, gc=False):
    """A sign of life.

    Attributes:
        number: of the last delta sent, so that a lost one is noticed when nothing follows it.
        hello: the node is new on the bus, or back, and wants to hear of the others at once.
        sent_at: Unix seconds by the sender's clock.
    """

    number: int
    hello: bool
    sent_at: float
    host: str
    process: int
    version: str
    started_at: float
    connections: int
    channels: int
    topics: int
    lag: float


class Terminate(msgspec.Struct, array_like=True, gc=False):
    """A user whose connections must end on every node."""

    app_id: str
    user_id: str


class AppChanged(msgspec.Struct, array_like=True, gc=False):
    """An app that has been changed in the database, by anybody; who tells it need not be a node."""

    app_id: str


class CachedEvent(msgspec.Struct, array_like=True, gc=False):
    """An event of a cache channel, for every node to keep."""

    app_id: str
    name: str
    except_id: str | None
    frame: Annotated[bytes, msgspec.Meta(min_length=2)]  # no frame of a WebSocket is shorter


class Sync(msgspec.Struct, array_like=True, gc=False):
    """A request for a snapshot."""


class RollCall(msgspec.Struct, array_like=True, gc=False):
    """A request for a heartbeat, from anybody; who asks need not be a node."""


class Goodbye(msgspec.Struct, array_like=True, gc=False):
    """The last message of a node."""


def encode(message: msgspec.Struct) -> bytes:
    """Return a message as MessagePack."""
    return msgspec.msgpack.encode(message)
