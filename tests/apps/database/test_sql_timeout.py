"""A time-out that insists: it ends what loses a cancellation, and leaves the cancellations of others alone."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sockudo.apps.database import sql_timeout
from sockudo.apps.database.sql_timeout import InsistingTimeout


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_timeout, "_AGAIN", 0.01)


async def deaf(times: int) -> None:
    """Wait for ever, and lose a number of cancellations."""
    for _ in range(times):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


@pytest.mark.parametrize("times", [0, 1, 5])
async def test_what_loses_a_cancellation_is_cancelled_again(times: int) -> None:
    task = asyncio.current_task()
    assert task is not None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5), InsistingTimeout(0.01):
            await deaf(times)
    assert task.cancelling() == 0


async def test_what_is_done_in_time_is_left_alone() -> None:
    async with InsistingTimeout(0.01):
        pass
    await asyncio.sleep(0.03)


async def test_an_error_of_the_block_is_its_own() -> None:
    with pytest.raises(KeyError):
        async with InsistingTimeout(5):
            raise KeyError


async def test_a_result_that_came_all_the_same_is_kept() -> None:
    task = asyncio.current_task()
    assert task is not None
    async with InsistingTimeout(0.01):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    assert task.cancelling() == 0


async def test_who_is_cancelled_by_somebody_else_is_cancelled() -> None:
    async def wait() -> None:
        async with InsistingTimeout(5):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
