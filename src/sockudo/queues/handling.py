"""Runs the handler of a job for every driver, and turns its exceptions into outcomes."""

from __future__ import annotations

import asyncio
from typing import Final

from sockudo.errors import DriverError
from sockudo.log import get_logger
from sockudo.queues.base import Delivery, Failed, Handler, Outcome, Retry

MAX_DELIVERIES: Final = 1000
"""The most handlers that run in one process at a time. A lane has one at most, so only as many hanging lanes delay
another one."""
LONGEST_LANE: Final = 512
"""The longest name of a lane, in bytes."""
LONGEST_REASON: Final = 500
"""The longest reason of a failure, in characters."""

_RAISED_TOO_OFTEN: Final = 5

_log = get_logger("queue")


async def outcome_of(handler: Handler, delivery: Delivery) -> Outcome:
    """Run a handler. A handler that raises is a defect, but must neither stop its lane nor block it for ever."""
    try:
        outcome = await handler(delivery)
    except Exception as error:  # any error, because the lane has to go on
        name = type(error).__name__
        _log.error(
            "webhook queue: the handler of a job failed", lane=delivery.lane, attempt=delivery.attempt, exc_info=True
        )
        if delivery.attempt >= _RAISED_TOO_OFTEN:
            return Failed(f"its handler raised {name}")
        return Retry(0.5 * 2 ** (delivery.attempt - 1))
    return Failed(outcome.reason[:LONGEST_REASON]) if isinstance(outcome, Failed) else outcome


def problem_with(lane: str, job: bytes, max_job_bytes: int) -> DriverError | None:
    """Return why the queue cannot take a job, or None if it can."""
    if len(job) > max_job_bytes:
        return DriverError(f"a job has {len(job)} bytes, the queue takes {max_job_bytes}")
    size = len(lane.encode("utf-8", "surrogatepass"))
    if size > LONGEST_LANE:
        return DriverError(f"the name of a lane has {size} bytes, the limit is {LONGEST_LANE}")
    return None


def refused(error: DriverError) -> asyncio.Future[None]:
    """Return the future of a push that was not accepted."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    refuse(future, error)
    return future


def refuse(future: asyncio.Future[None], error: DriverError) -> None:
    """Fail the future of a push. Callers may ignore it: the loss is counted and logged."""
    if not future.done():
        future.set_exception(error)
        future.exception()
