from __future__ import annotations

import pytest

from sockudo.hub.capacity import Capacity
from sockudo.node.limits import NodeLimits
from sockudo.node.node import Opening
from sockudo.pusher.errors import CloseConnection
from tests.fakes.node import World
from tests.fakes.wire import RecordingWire


def test_without_a_limit_nothing_is_full() -> None:
    assert Capacity(0, lambda: 1_000_000).problem() == ""


def test_the_log_says_when_the_process_becomes_full_or_free(capsys: pytest.CaptureFixture[str]) -> None:
    count = [0]
    capacity = Capacity(2, lambda: count[0])
    for count[0] in (1, 2, 2, 1, 1):
        capacity.look()
    log = capsys.readouterr().out
    assert log.count("max_connections reached: new connections are refused with 4100") == 1
    assert log.count("max_connections: room for connections again") == 1


def test_a_full_process_refuses_with_4100_and_takes_again() -> None:
    world = World(limits=NodeLimits(max_connections=1))
    first = world.connect()
    with pytest.raises(CloseConnection, match=r"limit is 1 \(max_connections\)") as refused:
        world.node.connect(Opening(world.app), RecordingWire())
    assert refused.value.code == 4100
    world.node.disconnect(first.connection)
    world.connect()
