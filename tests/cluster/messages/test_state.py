from __future__ import annotations

import msgspec
import pytest

from sockudo.cluster.messages.state import (
    AppChanged,
    AppState,
    ChannelState,
    Delta,
    EventToCache,
    ForceReconnect,
    Goodbye,
    Heartbeat,
    SnapshotPart,
    Sync,
    Terminate,
    encode,
)

APPS = {"app": AppState(3, {"presence-x": ChannelState(2, {"1": b'{"n":1}'}, ["2"])}, ["1"], ["2"])}


@pytest.mark.parametrize(
    "message",
    [
        Delta(7, APPS),
        SnapshotPart(7, 0, True, APPS),
        Heartbeat(7, True, 1.5, "host", 1, "1.0", 0.5, 3, 2, 1, 0.1),
        Terminate("app", "1"),
        ForceReconnect("app", "1"),
        AppChanged("app"),
        EventToCache("app", "cache-x", "1.2", b"\x81\x00"),
        Sync(),
        Goodbye(),
    ],
)
def test_a_message_arrives_as_sent_and_names_no_fields(message: msgspec.Struct) -> None:
    data = encode(message)
    assert msgspec.msgpack.decode(data, type=type(message)) == message
    assert isinstance(msgspec.msgpack.decode(data), list)


def test_states_share_no_defaults() -> None:
    ChannelState().left.append("1")
    ChannelState().joined["1"] = b"{}"
    AppState().online.append("1")
    AppState().channels["x"] = ChannelState()
    assert ChannelState() == ChannelState(0, {}, [])
    assert AppState() == AppState(0, {}, [], [])


def test_what_a_later_version_adds_is_ignored() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(["app", "1", "new"]), type=Terminate) == Terminate("app", "1")
