from __future__ import annotations

import pytest

from sockudo.server.turn_budget import GRANT, TurnBudget
from tests.fakes.clock import FakeClock


class Socket:
    """Needs so many turns, and so much time in each."""

    def __init__(self, budget: TurnBudget, clock: FakeClock, turns: int = 1, seconds: float = 0.0) -> None:
        self._budget = budget
        self._clock = clock
        self._turns = turns
        self._seconds = seconds
        self.carried_out: list[float] = []
        self.was_aborted = False

    def proceed(self) -> None:
        self._clock.set_monotonic(self._clock.monotonic() + self._seconds)
        self.carried_out.append(self._clock.monotonic())
        self._turns -= 1
        if self._turns:
            self._budget.wait(self)

    def abort(self) -> None:
        self.was_aborted = True


def spend(budget: TurnBudget, clock: FakeClock, seconds: float) -> bool:
    """Let a read take more than is granted, after some time; return whether it is admitted."""
    clock.set_monotonic(clock.monotonic() + seconds)
    budget.left -= GRANT + 1
    return budget.left >= 0 or budget.has_time()


def test_a_turn_whose_time_is_used_up_admits_nothing_more() -> None:
    clock = FakeClock()
    budget = TurnBudget(clock)
    admitted = 0
    while spend(budget, clock, 0.001):
        admitted += 1
    assert 5 <= admitted <= 20
    assert not spend(budget, clock, 0.001)


def test_the_next_turn_has_its_whole_time_again() -> None:
    clock = FakeClock()
    budget = TurnBudget(clock)
    while spend(budget, clock, 0.001):
        pass
    clock.run_soon()
    assert budget.left == GRANT
    assert spend(budget, clock, 0.001)


def test_cheap_turns_ask_for_nothing_at_their_end() -> None:
    clock = FakeClock()
    budget = TurnBudget(clock)
    budget.left -= GRANT // 2
    assert not clock._soon


def test_sockets_that_wait_proceed_in_order_once_a_turn() -> None:
    clock = FakeClock()
    budget = TurnBudget(clock)
    order: list[str] = []

    class Named(Socket):
        def __init__(self, name: str, turns: int) -> None:
            super().__init__(budget, clock, turns)
            self._name = name

        def proceed(self) -> None:
            order.append(self._name)
            super().proceed()

    for name, turns in (("a", 3), ("b", 1), ("c", 2)):
        budget.wait(Named(name, turns))
    clock.run_soon()
    assert order == ["a", "b", "c"]
    clock.run_soon()
    assert order == ["a", "b", "c", "a", "c"]
    clock.advance(1)
    assert order == ["a", "b", "c", "a", "c", "a"]


def test_slow_sockets_that_wait_leave_time_to_others() -> None:
    clock = FakeClock()
    budget = TurnBudget(clock)
    sockets = [Socket(budget, clock, seconds=0.003) for _ in range(10)]
    for socket in sockets:
        budget.wait(socket)
    clock.run_soon()
    assert sum(len(socket.carried_out) for socket in sockets) == 2
    assert spend(budget, clock, 0.0)
    clock.advance(1)
    assert [len(socket.carried_out) for socket in sockets] == [1] * 10


def test_a_socket_that_fails_is_dropped_and_the_others_proceed() -> None:
    clock = FakeClock()
    budget = TurnBudget(clock)

    class Failing(Socket):
        def proceed(self) -> None:
            raise ValueError("a mistake")

    failing, other = Failing(budget, clock), Socket(budget, clock)
    budget.wait(failing)
    budget.wait(other)
    with pytest.raises(ValueError, match="a mistake"):
        clock.run_soon()
    clock.advance(1)
    assert failing.was_aborted
    assert len(other.carried_out) == 1
