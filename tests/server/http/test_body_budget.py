from __future__ import annotations

from sockudo.server.http.body_budget import BodyBudget


def test_no_more_is_taken_than_the_limit() -> None:
    budget = BodyBudget(10)
    assert budget.take(6)
    assert not budget.take(5)
    assert budget.take(4)
    assert budget.taken == 10


def test_what_is_given_back_can_be_taken_again() -> None:
    budget = BodyBudget(10)
    assert budget.take(10)
    budget.give_back(3)
    assert budget.take(3)
    assert not budget.take(1)


def test_the_limit_is_told_in_megabytes() -> None:
    assert str(BodyBudget(5 * 1024 * 1024)) == "5 MB"
