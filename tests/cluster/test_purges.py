from __future__ import annotations

from sockudo.cluster.purges import Purges
from sockudo.cluster.replica import PURGED_AT_ONCE, Change, Kind, Replica
from sockudo.cluster.state import AppState, ChannelState
from tests.support.clock import FakeClock

APP = "app"


class Forgetting:
    """A replica that knows a node with much, and what its purge tells."""

    def __init__(self, steps: int) -> None:
        self.clock = FakeClock()
        self.replica = Replica()
        self.told: list[Change] = []
        self.purges = Purges(self.replica, self.clock, self.told.extend)
        self.names = [f"c{number}" for number in range(steps * PURGED_AT_ONCE)]
        self.learn()

    def learn(self) -> None:
        """Take a snapshot of the node."""
        self.replica.replace("a", {APP: AppState(1, {name: ChannelState(1) for name in self.names}, [], [])})

    @property
    def vacated(self) -> int:
        """How many channels were told to be vacated."""
        return sum(change.kind is Kind.VACATED for change in self.told)


def test_a_small_node_is_forgotten_at_once() -> None:
    forgetting = Forgetting(1)
    forgetting.purges.begin("a")
    assert forgetting.vacated == len(forgetting.names)
    forgetting.clock.advance(0)
    assert forgetting.clock.timers == 0


def test_a_large_one_is_forgotten_a_step_in_each_tick() -> None:
    forgetting = Forgetting(3)
    forgetting.purges.begin("a")
    for step in (1, 2, 3):
        assert forgetting.vacated == step * PURGED_AT_ONCE
        forgetting.clock.run_soon()
    assert not list(forgetting.replica.channels(APP))


def test_one_that_comes_back_meanwhile_is_left_what_it_has() -> None:
    forgetting = Forgetting(3)
    forgetting.purges.begin("a")
    forgetting.purges.stop("a")
    forgetting.learn()
    forgetting.clock.advance(1)
    assert forgetting.vacated == PURGED_AT_ONCE
    assert len(list(forgetting.replica.channels(APP))) == len(forgetting.names)


def test_one_that_is_lost_again_is_forgotten_once() -> None:
    forgetting = Forgetting(3)
    forgetting.purges.begin("a")
    forgetting.purges.stop("a")
    forgetting.purges.begin("a")
    forgetting.clock.advance(1)
    assert forgetting.vacated == len(forgetting.names)
