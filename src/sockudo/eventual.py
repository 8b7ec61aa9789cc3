"""Answers from memory as values, and answers from a store as futures, behind one type.

Drivers that keep everything in memory answer with the value itself, so that nothing on the way from one socket to
another ever waits for them. Drivers that ask a store answer with a future, which fails with `DriverError` while the
store cannot be used. Callers go on with `then`, which costs a comparison where nobody has to wait.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

__all__ = ["Eventual", "Future", "all_done", "caught", "gathered", "later", "then"]

T = TypeVar("T")
R = TypeVar("R")

Eventual: TypeAlias = T | Future[T]


def then(answer: Eventual[T], step: Callable[[T], Eventual[R]]) -> Eventual[R]:
    """Return what `step` makes of an answer: at once where the answer is there.

    An error of the answer, or of `step`, is raised where nobody has to wait; else it fails the returned future.
    """
    return later(answer, step) if isinstance(answer, Future) else step(answer)


def later(answer: Future[T], step: Callable[[T], Eventual[R]]) -> Future[R]:
    """Return what `step` makes of an answer that is waited for, as `then` does."""
    result: Future[R] = answer.get_loop().create_future()
    answer.add_done_callback(partial(_go_on, result, step))
    return result


def dropped(answer: Future[T]) -> None:
    """Wait for no answer; its error is told to whoever asks again."""
    answer.add_done_callback(_look_at)


def _look_at(done: Future[T]) -> None:
    if not done.cancelled():
        done.exception()


def caught(answer: Future[T], recover: Callable[[Exception], T]) -> Future[T]:
    """Return the answer, or what `recover` makes of its error."""
    result: Future[T] = answer.get_loop().create_future()

    def settle(done: Future[T]) -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, Exception) and not result.done():
            result.set_result(recover(error))
        else:
            _settle(result, done)

    answer.add_done_callback(settle)
    return result


def gathered(answers: Sequence[Eventual[T]]) -> Eventual[list[T]]:
    """Return all answers in their order; the first error is the error of all."""
    there = [answer for answer in answers if not isinstance(answer, Future)]
    if len(there) == len(answers):
        return there
    return asyncio.gather(*(answer if isinstance(answer, Future) else _done(answer) for answer in answers))


def all_done(answers: Sequence[Eventual[object]]) -> Eventual[None]:
    """Return when all answers are there; the first error is the error of all."""
    return then(gathered(answers), lambda _: None)


def _done(value: T) -> Future[T]:
    future: Future[T] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future


def _go_on(result: Future[R], step: Callable[[T], Eventual[R]], done: Future[T]) -> None:
    if done.cancelled():
        result.cancel()
        return
    try:
        following = step(done.result())
    except Exception as error:
        if not result.done():
            result.set_exception(error)
        return
    if isinstance(following, Future):
        following.add_done_callback(partial(_settle, result))
    elif not result.done():
        result.set_result(following)


def _settle(result: Future[R], done: Future[R]) -> None:
    if done.cancelled():
        result.cancel()
        return
    # Asked for in any case, so that asyncio does not complain of an error that nobody has seen.
    error = done.exception()
    if result.done():
        return
    if error is not None:
        result.set_exception(error)
    else:
        result.set_result(done.result())
