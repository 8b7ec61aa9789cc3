"""A process that works on a queue in Redis or SQS and writes down what it does, so that a test can kill or freeze it.

As a program: `python -m tests.servers.queue_process URL PREFIX TRACE LEASE BEHAVIOUR`; a URL of HTTP is that of an SQS.
As a module: starts it, and reads the trace, to which every process appends lines such as `start lane job attempt pid`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

from sockudo.config.sections.queue import RedisQueueSettings, SqsQueueSettings
from sockudo.queues.base import Delivery, Done, Handler, Outcome, Queue, Retry
from sockudo.queues.redis.options import RedisQueueOptions
from sockudo.queues.redis.queue import RedisQueue
from sockudo.queues.sqs.options import SqsQueueOptions
from sockudo.redis_client.options import RedisTarget, RedisTiming
from sockudo.timing.clock import LoopClock
from tests.servers.processes import ServerProcess, wait_until
from tests.support.source import ROOT

TIMING = RedisTiming(connect_timeout=1, probe_interval=0.1, answer_timeout=0.5)


class Step(NamedTuple):
    """What a process did: it started or ended a job, or was ready for jobs."""

    what: str
    lane: str
    job: bytes
    attempt: int
    pid: int


class Trace:
    """What all processes did, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def add(self, what: str, delivery: Delivery) -> None:
        """Append a step."""
        words = (what, delivery.lane, delivery.job.decode(), str(delivery.attempt), str(os.getpid()))
        # One write at the end of the file: lines of several processes do not mix.
        with self.path.open("ab", buffering=0) as file:
            file.write(" ".join(words).encode() + b"\n")

    def steps(self, what: str | None = None, lane: str | None = None) -> list[Step]:
        """Return the steps so far, of one kind or of all."""
        steps = []
        for line in self.path.read_text().splitlines():
            kind, name, job, attempt, pid = line.split(" ")
            if what in (None, kind) and lane in (None, name):
                steps.append(Step(kind, name, job.encode(), int(attempt), int(pid)))
        return steps

    async def wait_for(self, number: int, what: str, lane: str | None = None) -> list[Step]:
        """Return the steps of a kind once there are so many."""
        await asyncio.to_thread(wait_until, lambda: len(self.steps(what, lane)) >= number, f"{number} x {what}")
        return self.steps(what, lane)


class QueueProcess(ServerProcess):
    """A worker on a queue, which behaves as one of `BEHAVIOURS`."""

    def __init__(self, url: str, prefix: str, trace: Trace, lease: float, behaviour: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        words = [
            sys.executable,
            "-m",
            "tests.servers.queue_process",
            url,
            prefix,
            str(trace.path),
            str(lease),
            behaviour,
        ]
        super().__init__(words, folder, {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])})

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process is not None
        return self._process.pid

    def wait(self) -> int:
        """Return the status with which it ended by itself."""
        assert self._process is not None
        return self._process.wait(20)


def options_for(url: str, prefix: str, lease: float = 0.6) -> RedisQueueOptions:
    """Return options with which little waits long."""
    return RedisQueueOptions(
        RedisQueueSettings(), RedisTarget(url), prefix=prefix, lease=lease, poll=0.02, timing=TIMING
    )


def sqs_options_for(url: str, prefix: str, lease: float) -> SqsQueueOptions:
    """Return options of a FIFO queue with which little waits long; the lease is in whole seconds."""
    section = SqsQueueSettings(
        region="eu-west-1",
        queue_url_prefix=f"{url}/123456789012/{prefix}",
        endpoint_url=url,
        visibility_timeout=int(lease),
        wait_time_seconds=1,
        concurrency=2,
        fifo=True,
    )
    return SqsQueueOptions(section, idle=0.05)


def queue_at(url: str, prefix: str, lease: float) -> Queue:
    """Return the queue at an address."""
    clock = LoopClock(asyncio.get_running_loop())
    if not url.startswith("http"):
        return RedisQueue(clock, options_for(url, prefix, lease))
    # Whoever works on Redis needs no library of AWS, which takes its time.
    from sockudo.queues.sqs.queue import SqsQueue

    return SqsQueue(clock, sqs_options_for(url, prefix, lease))


def record(trace: Trace) -> Handler:
    """Handle jobs at once."""

    async def handle(delivery: Delivery) -> Outcome:
        trace.add("start", delivery)
        await asyncio.sleep(0.001)
        trace.add("end", delivery)
        return Done()

    return handle


def hang(trace: Trace) -> Handler:
    """Begin a job and never end it, unless it is cancelled."""

    async def handle(delivery: Delivery) -> Outcome:
        trace.add("start", delivery)
        try:
            await asyncio.Event().wait()
        finally:
            trace.add("cancelled", delivery)
        return Done()

    return handle


def die(trace: Trace) -> Handler:
    """Handle the third job wholly, and be killed before the queue hears of it."""

    async def handle(delivery: Delivery) -> Outcome:
        trace.add("start", delivery)
        trace.add("end", delivery)
        if delivery.job == b"2":
            os.kill(os.getpid(), signal.SIGKILL)
        return Done()

    return handle


def refuse(trace: Trace) -> Handler:
    """Try in vain, again and again."""

    async def handle(delivery: Delivery) -> Outcome:
        trace.add("start", delivery)
        return Retry(0.05)

    return handle


def stumble(trace: Trace) -> Handler:
    """Handle jobs with the second attempt, and be deaf when that is due, so that others are faster."""

    async def handle(delivery: Delivery) -> Outcome:
        trace.add("start", delivery)
        await asyncio.sleep(0.001)
        trace.add("end", delivery)
        if delivery.attempt > 1:
            return Done()
        asyncio.get_running_loop().call_later(0.01, time.sleep, 0.04)
        return Retry(0.02)

    return handle


BEHAVIOURS = {"record": record, "hang": hang, "die": die, "refuse": refuse, "stumble": stumble}


async def main(url: str, prefix: str, path: str, lease: str, behaviour: str) -> None:
    """Work until killed."""
    trace = Trace(Path(path))
    queue = queue_at(url, prefix, float(lease))
    await queue.start(BEHAVIOURS[behaviour](trace))
    trace.add("ready", Delivery("-", b"-", 0, 0.0))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
