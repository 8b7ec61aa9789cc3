"""The checker itself: made-up histories that it must take, and ones that it must not."""

from __future__ import annotations

import pytest

from tests.faults.checker import FLIGHT, History, Outage, Publish, Seen, Session, Told, Transition, differences

ROOM = "presence-room"


def publish(number: int, sent_at: float, *, node: str = "a", accepted: bool = True) -> Publish:
    return Publish("p", "news", number, node, sent_at, sent_at + 0.01 if accepted else None)


def session(*numbers: int, node: str = "b", whole_until: float | None = None) -> Session:
    seen = [Seen("p", "news", number) for number in numbers]
    return Session("c", node, {"news": 10.0}, None, whole_until, seen)


def two_users(removed_at: float, ended_at: float | None = None) -> list[Session]:
    """Ann is on the room from 10 on, and Bob is told at some time that she is gone."""
    ann = Session("ann", "a", {ROOM: 10.0}, ended_at)
    bob = Session("bob", "b", {ROOM: 5.0}, rosters={ROOM: frozenset({"ann"})})
    bob.told.append(Told(ROOM, "ann", False, removed_at))
    return [ann, bob]


def said(*changes: tuple[str, float]) -> list[Transition]:
    """Occupied (+) and vacated (-)."""
    return [Transition(text[1:], text[0] == "+", "a", at) for text, at in changes]


def member_session(*told: tuple[str, bool]) -> Session:
    return Session(
        "c", "b", rosters={ROOM: frozenset({"ann"})}, told=[Told(ROOM, user, is_there, 20.0) for user, is_there in told]
    )


@pytest.mark.parametrize(
    "history",
    [
        pytest.param(History([publish(1, 11), publish(2, 12)], [session(1, 2)]), id="all in order"),
        pytest.param(History([publish(1, 9.9), publish(2, 12)], [session(2)]), id="sent before success"),
        pytest.param(History([publish(1, 11, accepted=False)], [session()]), id="no answer, not delivered"),
        pytest.param(History([publish(1, 11, accepted=False)], [session(1)]), id="no answer, delivered"),
        pytest.param(History([publish(1, 11)], [session(whole_until=11)]), id="accepted after the end"),
        pytest.param(History([publish(1, 11)], [session()], [Outage(None, 10.5, 12)]), id="no bus"),
        pytest.param(History([publish(1, 11)], [session()], [Outage("a", 10.5, 12)]), id="publisher cut off"),
        pytest.param(History([publish(1, 11)], [session()], [Outage("b", 10.5, 12)]), id="subscriber cut off"),
        pytest.param(History([publish(1, 11)], [session()], [Outage("b", 11.5, 12)]), id="cut off on its way"),
        pytest.param(
            History([publish(1, 11)], [session()], [Outage(None, 10, 12, ["news"])]), id="no bus for the channel"
        ),
        pytest.param(History(sessions=[member_session(("bob", True), ("ann", False), ("ann", True))]), id="in turn"),
        pytest.param(History(sessions=two_users(20, ended_at=20.5)), id="removed when gone"),
        pytest.param(History(sessions=two_users(10.5)), id="removed on its way from one node to the other"),
        pytest.param(History([], two_users(20), [Outage("a", 15, 19.5)]), id="removed when cut off"),
    ],
)
def test_a_history_that_keeps_the_rules_is_taken(history: History) -> None:
    assert history.problems() == []


@pytest.mark.parametrize(
    ("history", "problem"),
    [
        pytest.param(History([publish(1, 11)], [session()]), "p/news/1 of a lost", id="lost"),
        pytest.param(History([publish(1, 11)], [session(1, 1)]), "p/news/1 doubled", id="doubled"),
        pytest.param(History([publish(1, 11), publish(2, 12)], [session(2, 1)]), "p/news/1 after 2", id="reordered"),
        pytest.param(History([], [session(1, 2, 3, 1)]), "p/news/1 after 3", id="again later"),
        pytest.param(History([publish(1, 11)], [session(whole_until=12)]), "lost", id="accepted before the end"),
        pytest.param(History([publish(1, 11)], [session()], [Outage("c", 10.5, 12)]), "lost", id="a third cut off"),
        pytest.param(History([publish(1, 11)], [session()], [Outage(None, 1, 10.9)]), "lost", id="bus back"),
        pytest.param(
            History([publish(1, 11)], [session()], [Outage(None, 11.1 + FLIGHT, 20)]), "lost", id="before the outage"
        ),
        pytest.param(History([publish(1, 11)], [session(node="a")], [Outage(None, 10, 12)]), "lost", id="needs no bus"),
        pytest.param(
            History([publish(1, 11)], [session()], [Outage(None, 10, 12, ["x"])]), "lost", id="another channel"
        ),
        pytest.param(History(sessions=two_users(20)), "ann removed, but is on a", id="removed, and there"),
        pytest.param(History(sessions=two_users(20, ended_at=22)), "ann removed", id="removed long before it left"),
        pytest.param(History([], two_users(20), [Outage("c", 15, 25)]), "ann removed", id="removed, a third cut off"),
        pytest.param(History([], two_users(20), [Outage("a", 25, 26)]), "ann removed", id="removed, cut off later"),
        pytest.param(History(sessions=[member_session(("ann", True))]), "ann added twice", id="added twice"),
        pytest.param(
            History(sessions=[member_session(("ann", False), ("ann", False))]), "ann removed twice", id="removed twice"
        ),
        pytest.param(
            History(sessions=[member_session(("bob", False))]), "bob removed twice", id="removed, never there"
        ),
    ],
)
def test_a_history_that_breaks_a_rule_is_refused(history: History, problem: str) -> None:
    problems = history.problems()
    assert len(problems) == 1
    assert problem in problems[0]


def test_known_members_are_the_roster_and_what_was_told() -> None:
    assert member_session(("bob", True), ("ann", False)).members(ROOM) == {"bob"}


def test_answers_are_compared_with_the_truth() -> None:
    assert differences("a", "count", 3, 3) == []
    assert differences("a", "count", 2, 3) == ["a: count is 2, not 3"]
    assert differences("a", "roster", ["x", "y"], {"y", "x"}) == []
    assert "lacks ['y'], has ['z'] too" in differences("a", "roster", ["x", "z"], {"x", "y"})[0]
    assert "some twice" in differences("a", "roster", ["x", "x"], {"x"})[0]


@pytest.mark.parametrize(
    ("transitions", "occupied"),
    [
        pytest.param([], set(), id="nothing said"),
        pytest.param(said(("+x", 1), ("-x", 2), ("+x", 3)), {"x"}, id="in turn"),
        pytest.param(said(("-x", 2), ("+x", 1)), set(), id="heard in another order"),
        pytest.param(said(("+x", 1), ("+y", 2), ("-x", 3)), {"y"}, id="each by itself"),
        pytest.param(said(("+x", 1), ("+x", 12)), {"x"}, id="by each half of a parted cluster"),
    ],
)
def test_transitions_that_balance_are_taken(transitions: list[Transition], occupied: set[str]) -> None:
    assert History(outages=[Outage("b", 10, 15)]).transition_problems(transitions, occupied) == []


@pytest.mark.parametrize(
    ("transitions", "occupied", "problem"),
    [
        pytest.param(said(("+x", 1), ("+x", 2)), {"x"}, "a: x occupied twice", id="doubled"),
        pytest.param(said(("-x", 1)), set(), "a: x vacated twice", id="vacated, never occupied"),
        pytest.param(said(("+x", 1), ("-x", 2), ("-x", 3)), set(), "a: x vacated twice", id="vacated again"),
        pytest.param(said(("+x", 1)), set(), "has ['x'] too", id="not vacated"),
        pytest.param([], {"x"}, "lacks ['x']", id="not occupied"),
        pytest.param(said(("+x", 1), ("-x", 12)), {"x"}, "lacks ['x']", id="not taken back after the outage"),
    ],
)
def test_transitions_that_do_not_balance_are_refused(
    transitions: list[Transition], occupied: set[str], problem: str
) -> None:
    (found,) = History(outages=[Outage("b", 10, 15)]).transition_problems(transitions, occupied)
    assert problem in found
