"""What counts as a wish to stop, and what as a wish to hurry."""

from __future__ import annotations

import asyncio
import signal

import pytest

from sockudo.supervisor.stopping import Stopping, run_until


def state(stopping: Stopping) -> tuple[bool, bool]:
    """Whether it is asked to stop, and to hurry."""
    return (stopping._asked.is_set(), stopping._hurried.is_set())


async def test_a_second_signal_means_hurry() -> None:
    stopping = Stopping()
    assert state(stopping) == (False, False)
    stopping.signalled(signal.SIGTERM)
    assert state(stopping) == (True, False)
    stopping.signalled(signal.SIGINT)
    assert state(stopping) == (True, True)
    await asyncio.wait_for(stopping.asked(), 1)
    await asyncio.wait_for(stopping.hurried(), 1)
    assert stopping.reason == "SIGTERM"


async def test_the_supervisor_and_a_signal_are_one_wish() -> None:
    for first_signal in (True, False):
        stopping = Stopping()
        if first_signal:
            stopping.signalled(signal.SIGTERM)
        stopping.ask("stopped by the supervisor")
        if not first_signal:
            stopping.signalled(signal.SIGTERM)
        assert state(stopping) == (True, False)


async def test_the_first_request_sets_the_reason_and_the_linger_time() -> None:
    stopping = Stopping()
    stopping.ask("replaced", linger=2.0)
    stopping.ask("the supervisor is gone")
    assert (stopping.reason, stopping.linger) == ("replaced", 2.0)


async def test_hurry_alone_is_enough() -> None:
    stopping = Stopping()
    stopping.hurry("now")
    assert state(stopping) == (True, True)
    assert stopping.reason == "now"


async def test_work_is_cancelled_when_its_ending_comes() -> None:
    stopping, cancelled = Stopping(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    running = asyncio.create_task(run_until(stopping.asked(), work()))
    await asyncio.sleep(0)
    stopping.ask("test")
    await running
    assert cancelled.is_set()


async def test_what_work_raises_is_raised_before_any_ending() -> None:
    async def work() -> None:
        raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        await run_until(asyncio.Event().wait(), work())
