from __future__ import annotations

from sockudo.bus.redis.joins import JoinAnswer, Joins


def test_only_the_difference_is_asked_for() -> None:
    wanted = {b"a": "a", b"b": "b"}
    joins = Joins(wanted)
    joins.mark_wanted()
    assert joins.compare() == ([], [b"a", b"b"], [])
    assert joins.compare() == ([], [], [])
    del wanted[b"a"]
    joins.mark(b"a")
    joins.mark(b"b")
    assert joins.answered(b"b") is JoinAnswer.LAST
    assert joins.compare() == ([b"a"], [], [b"b"])


def test_a_name_left_and_joined_at_once_costs_nothing() -> None:
    wanted = {b"a": "a"}
    joins = Joins(wanted)
    joins.mark_wanted()
    joins.compare()
    assert joins.answered(b"a") is JoinAnswer.LAST
    joins.mark(b"a")
    joins.mark(b"a")
    assert joins.compare() == ([], [], [b"a"])


def test_a_name_is_settled_with_its_last_answer() -> None:
    wanted = {b"a": "a"}
    joins = Joins(wanted)
    joins.mark_wanted()
    joins.compare()
    del wanted[b"a"]
    joins.mark(b"a")
    joins.compare()
    # A name that still lacks answers is not settled by being marked.
    joins.mark(b"a")
    assert joins.compare() == ([], [], [])
    assert joins.answered(b"a") is JoinAnswer.EARLIER
    assert joins.answered(b"a") is JoinAnswer.LAST


def test_an_answer_that_nobody_asked_for_is_told_apart() -> None:
    wanted = {b"a": "a"}
    joins = Joins(wanted)
    joins.mark_wanted()
    joins.compare()
    assert joins.answered(b"a") is JoinAnswer.LAST
    assert joins.answered(b"a") is JoinAnswer.UNASKED
    joins.forget(b"a")
    joins.mark(b"a")
    assert joins.compare() == ([], [b"a"], [])
