from __future__ import annotations

import asyncio
import gc

import pytest

from sockudo.eventual import Eventual, caught, dropped, gathered, later, then
from tests.fakes.eventual import now


def future() -> asyncio.Future[int]:
    return asyncio.get_running_loop().create_future()


def ask() -> tuple[asyncio.Future[int], Eventual[int]]:
    """Return a question, and the same as those see it who do not know whether they have to wait."""
    asked = future()
    return asked, asked


def half(number: int) -> int:
    if number % 2:
        raise ValueError("odd")
    return number // 2


def test_a_step_with_its_answer_is_taken_without_a_loop() -> None:
    assert now(then(8, half)) == 4
    with pytest.raises(ValueError, match="odd"):
        then(7, half)


async def test_a_later_answer_is_what_the_step_makes_of_it() -> None:
    asked = future()
    answer = later(asked, half)
    assert not answer.done()
    asked.set_result(8)
    assert await answer == 4


async def test_a_step_may_have_to_wait_itself() -> None:
    (first, one), (second, two) = ask(), ask()
    answer = then(one, lambda number: then(two, lambda other: number + other))
    assert isinstance(answer, asyncio.Future)
    first.set_result(1)
    await asyncio.sleep(0)
    assert not answer.done()
    second.set_result(2)
    assert await answer == 3


@pytest.mark.parametrize("fails_first", [True, False])
async def test_an_error_on_the_way_is_the_answers_error(fails_first: bool) -> None:
    (asked, eventual), inner = ask(), future()
    answer: Eventual[int] = then(eventual, lambda _: inner)
    assert isinstance(answer, asyncio.Future)
    if fails_first:
        asked.set_exception(ValueError("gone"))
    else:
        asked.set_result(1)
        inner.set_exception(ValueError("gone"))
    with pytest.raises(ValueError, match="gone"):
        await answer


async def test_an_error_of_the_step_is_the_answers_error() -> None:
    asked = future()
    answer = later(asked, half)
    asked.set_result(7)
    with pytest.raises(ValueError, match="odd"):
        await answer


async def test_an_error_can_become_an_answer_and_answers_stay() -> None:
    failing, working = future(), future()
    answers = [caught(asked, lambda error: len(str(error))) for asked in (failing, working)]
    failing.set_exception(ValueError("gone"))
    working.set_result(9)
    assert await asyncio.gather(*answers) == [4, 9]


async def test_giving_up_a_question_gives_up_its_successors() -> None:
    for follow in (lambda asked: later(asked, half), lambda asked: caught(asked, lambda _: 0)):
        asked = future()
        answer = follow(asked)
        asked.cancel()
        await asyncio.wait([answer])
        assert answer.cancelled()


async def test_who_waits_no_more_is_not_answered() -> None:
    asked, (inner, eventual) = future(), ask()
    answers = [later(asked, half), caught(asked, lambda _: 0), later(asked, lambda _: eventual)]
    for answer in answers:
        answer.cancel()
    asked.set_result(8)
    inner.set_result(9)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert all(answer.cancelled() for answer in answers)


async def test_the_error_of_a_dropped_answer_is_told_to_nobody() -> None:
    problems: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, problem: problems.append(problem))
    answer = future()
    dropped(answer)
    answer.set_exception(ValueError("lost"))
    await asyncio.sleep(0)
    del answer
    gc.collect()
    assert problems == []


async def test_answers_are_gathered_in_their_order() -> None:
    asked = future()
    answer = gathered([1, asked, 3])
    assert isinstance(answer, asyncio.Future)
    asked.set_result(2)
    assert await answer == [1, 2, 3]
    assert now(gathered([1, 2])) == [1, 2]
    assert now(gathered([])) == []


async def test_one_error_among_many_is_the_error_of_all() -> None:
    (_, first), (asked, second) = ask(), ask()
    answer: Eventual[list[int]] = gathered([first, second])
    assert isinstance(answer, asyncio.Future)
    asked.set_exception(ValueError("gone"))
    with pytest.raises(ValueError, match="gone"):
        await answer
