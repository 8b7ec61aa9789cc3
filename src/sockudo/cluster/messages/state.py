"""The messages between nodes, except events: deltas, snapshots, heartbeats, reports. All are MessagePack arrays."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final

import msgspec

# A part of a snapshot, or a delta, ends above this size, well below the longest message of any bus.
PART_BYTES: Final = 64 * 1024
# The longest message about state that a node sends: a part, and the info of one more member.
LONGEST_STATE: Final = 192 * 1024
# The most reports of one message.
MOST_REPORTS: Final = 250
# A follower of deliveries repeats its request: no node sends them for longer than this after the last one.
LONGEST_FOLLOW: Final = 30.0

# The numbers that are valid; any other would break sums and dates of the nodes that receive it.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Moment = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
Seconds = Annotated[float, msgspec.Meta(ge=-1e11, le=1e11)]


class ChannelState(msgspec.Struct, array_like=True, gc=False):
    """A node's part of a channel.

    Attributes:
        count: its subscribers now; 0 removes the channel.
        joined: users that have joined, with their info (JSON); in a snapshot all of them.
        left: users that have left.
    """

    count: Count = 0
    joined: dict[str, bytes] = {}  # msgspec copies an empty default for each instance
    left: list[str] = []  # as above


class AppState(msgspec.Struct, array_like=True, gc=False):
    """A node's part of an app.

    Attributes:
        connections: its connections now.
        channels: channels that have changed; in a snapshot all of them.
        online: users that have signed in on a first connection; in a snapshot all that are signed in.
        offline: users whose last connection is gone.
        events, reads: used of the limits per second since the last delta; in a snapshot 0.
    """

    connections: Count = 0
    channels: dict[str, ChannelState] = {}  # msgspec copies an empty default for each instance
    online: list[str] = []  # as above
    offline: list[str] = []  # as above
    events: Count = 0
    reads: Count = 0


class Delta(msgspec.Struct, array_like=True, gc=False):
    """The changes on a node; each delta has the number after the last one."""

    number: Count
    apps: dict[str, AppState]


class SnapshotPart(msgspec.Struct, array_like=True, gc=False):
    """A part of everything a node has, as it was after the delta `number` or later.

    Later deltas may be in it already: a delta gives the new value and not the difference, so that a second one changes
    nothing.

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
        hello: the node is new on the bus, or back, and asks the others for a heartbeat at once.
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
    """An app that has changed in the database; the sender need not be a node."""

    app_id: str


class EventToCache(msgspec.Struct, array_like=True, gc=False):
    """An event of a cache channel, which every node keeps."""

    app_id: str
    name: str
    except_id: str | None
    frame: Annotated[bytes, msgspec.Meta(min_length=2)]  # no frame of a WebSocket is shorter


class Report(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A transition of a channel or of one of its members, as nodes report it to each other.

    Attributes:
        user_id: the member, or None for the channel as a whole.
        is_there: the channel has become occupied, or the member has come; else they are gone.
        since: when that was, in Unix seconds.
    """

    app_id: str
    name: str
    user_id: str | None
    is_there: bool
    since: Moment


class Verb(IntEnum):
    """The meaning of a message with reports.

    REPORTED: the sender has reported them to webhook receivers.
    OVERDUE: no node has, as far as the sender knows, so the owner of the channel should.
    ASK: the sender asks which reports are pending.
    PENDING: the whole answer.
    """

    REPORTED = 1
    OVERDUE = 2
    ASK = 3
    PENDING = 4


class Reports(msgspec.Struct, array_like=True, gc=False):
    """A message about reports to webhook receivers.

    Attributes:
        nodes: of ASK, the ids of the nodes that the sender knows.
        is_reliable: of PENDING, the sender was there before the node that asks, or has its list from a node that was.
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
    """A request for a heartbeat; the sender need not be a node."""


class Follow(msgspec.Struct, array_like=True, gc=False):
    """A request to receive deliveries for a while; the sender need not be a node."""

    seconds: Seconds


class Delivered(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One attempt to deliver a webhook.

    Attributes:
        at: when it ended, Unix seconds.
        app, webhook: ids.
        events: the names of the events, in order.
        attempt: 1 the first time.
        seconds: how long it took.
        result: `delivered`, `retry` or `failed`.
        reason: why it was not delivered; empty if it was.
        after: seconds until the next attempt, of `retry`.
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
    """A request for an echo of each other node, which it sends behind everything that it has published before."""

    number: Count


class Echo(msgspec.Struct, array_like=True, gc=False):
    """The answer to a question, for the node that asked."""

    number: Count


class Goodbye(msgspec.Struct, array_like=True, gc=False):
    """The last message of a node."""


def encode(message: msgspec.Struct) -> bytes:
    """Return a message as MessagePack."""
    return msgspec.msgpack.encode(message)
