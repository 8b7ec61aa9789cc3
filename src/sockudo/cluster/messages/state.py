"""What nodes tell each other of their clients: deltas, snapshots, heartbeats. MessagePack arrays, no field names."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final

import msgspec

# A part of a snapshot, and a delta, is closed above this, well below what any bus takes as one message.
PART_BYTES: Final = 64 * 1024
# A message about state that is longer than this is none of a node's: a part, and the information of one more member.
LONGEST_STATE: Final = 192 * 1024
# Reports of one message.
MOST_REPORTS: Final = 250
# Who follows deliveries says so again and again: nobody is told of them for longer than this after the last time.
LONGEST_FOLLOW: Final = 30.0

# Numbers that a node can mean; anything else would break sums and dates of the nodes that hear it.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Moment = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
Seconds = Annotated[float, msgspec.Meta(ge=-1e11, le=1e11)]


class ChannelState(msgspec.Struct, array_like=True, gc=False):
    """A node's part of a channel.

    Attributes:
        count: its subscribers now; 0 removes the channel.
        joined: users that have come, with their info (JSON); in a snapshot all of them.
        left: users that are gone.
    """

    count: Count = 0
    joined: dict[str, bytes] = {}  # msgspec copies an empty default for each instance
    left: list[str] = []  # as above


class AppState(msgspec.Struct, array_like=True, gc=False):
    """A node's part of an app.

    Attributes:
        connections: its connections now.
        channels: those that have changed; in a snapshot all of them.
        online: users that have signed in on a first connection; in a snapshot all that are signed in.
        offline: users whose last connection is gone.
        events, reads: what was let through since the delta before of the limits a second; in a snapshot 0.
    """

    connections: Count = 0
    channels: dict[str, ChannelState] = {}  # msgspec copies an empty default for each instance
    online: list[str] = []  # as above
    offline: list[str] = []  # as above
    events: Count = 0
    reads: Count = 0


class Delta(msgspec.Struct, array_like=True, gc=False):
    """What has changed on a node; each has the number after the one before."""

    number: Count
    apps: dict[str, AppState]


class SnapshotPart(msgspec.Struct, array_like=True, gc=False):
    """A part of everything a node has, as it was after the delta `number` or later.

    Later deltas may be in it already: each says how something is and not by how much it has changed, so that hearing
    of it again changes nothing.

    Attributes:
        part: counts from 0; parts are sent in order.
    """

    number: Count
    part: Count
    is_last: bool
    apps: dict[str, AppState]


class Heartbeat(msgspec.Struct, array_like=True, gc=False):
    """A sign of life.

    Attributes:
        number: of the last delta sent, so that a lost one is noticed when nothing follows it.
        hello: the node is new on the bus, or back, and wants to hear of the others at once.
        sent_at: Unix seconds by the sender's clock.
    """

    number: Count
    hello: bool
    sent_at: Moment
    host: str
    process: Count
    version: str
    started_at: Moment
    connections: Count
    channels: Count
    topics: Count
    lag: Moment


class Terminate(msgspec.Struct, array_like=True, gc=False):
    """A user whose connections must end on every node."""

    app_id: str
    user_id: str


class ForceReconnect(msgspec.Struct, array_like=True, gc=False):
    """A user whose connections must end on every node, and whose clients are to come back at once."""

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


class Report(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A transition of a channel or of one of its members, as nodes tell each other of it.

    Attributes:
        user_id: the member, or None for the channel as a whole.
        is_there: the channel has come to be occupied, or the member has come; else they are gone.
        since: when that was, in Unix seconds.
    """

    app_id: str
    name: str
    user_id: str | None
    is_there: bool
    since: Moment


class Verb(IntEnum):
    """What is said with reports.

    REPORTED: the sender has reported them to webhook receivers.
    OVERDUE: nobody has, as far as the sender knows, and the owner of the channel should see to it.
    ASK: what has not been reported?
    PENDING: the answer, all of it.
    """

    REPORTED = 1
    OVERDUE = 2
    ASK = 3
    PENDING = 4


class Reports(msgspec.Struct, array_like=True, gc=False):
    """What nodes say to each other about reports to webhook receivers.

    Attributes:
        nodes: of ASK, the ids of the nodes that the sender knows.
        is_reliable: of PENDING, the sender was there before, or has its list from a node that was.
        has_more: of PENDING, another message follows with more of the same answer.
    """

    verb: Verb
    reports: list[Report] = []  # msgspec copies an empty default for each instance
    nodes: list[str] = []  # as above
    is_reliable: bool = True
    has_more: bool = False


class Sync(msgspec.Struct, array_like=True, gc=False):
    """A request for a snapshot."""


class RollCall(msgspec.Struct, array_like=True, gc=False):
    """A request for a heartbeat, from anybody; who asks need not be a node."""


class Follow(msgspec.Struct, array_like=True, gc=False):
    """A request to be told of deliveries for a while, from anybody; who asks need not be a node."""

    seconds: Seconds


class Delivered(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One attempt to deliver a webhook.

    Attributes:
        at: when it ended, Unix seconds.
        app, webhook: ids.
        events: what the events are called, in order.
        attempt: 1 the first time.
        seconds: how long it took.
        result: `delivered`, `retry` or `failed`.
        reason: why it was not delivered; empty where it was.
        after: seconds until it is tried again, of `retry`.
    """

    at: Moment
    app: str
    webhook: str
    events: list[str]
    attempt: Count
    seconds: Moment
    result: str
    reason: str = ""
    after: Moment = 0.0


class Question(msgspec.Struct, array_like=True, gc=False):
    """A request of a node for an echo: the answer of each other node behind all that it has published before."""

    number: Count


class Echo(msgspec.Struct, array_like=True, gc=False):
    """The answer to a question, to who has asked it."""

    number: Count


class Goodbye(msgspec.Struct, array_like=True, gc=False):
    """The last message of a node."""


def encode(message: msgspec.Struct) -> bytes:
    """Return a message as MessagePack."""
    return msgspec.msgpack.encode(message)
