"""What stands in for Amazon SQS: the server of moto, over HTTP. It keeps nothing, and checks no credentials."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sockudo.queues.sqs.options import SqsQueueOptions
from sockudo.queues.sqs.queue import SqsQueue
from sockudo.timing.clock import LoopClock
from tests.servers.broker_process import BrokerProcess
from tests.servers.ports import free_port
from tests.servers.queue_process import sqs_options_for
from tests.support.sections import changed
from tests.support.source import ROOT

_numbers = count()


class SqsProcess(BrokerProcess):
    """`moto_server`; its queues are gone when it ends."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "tests.servers.sqs_stand_in", "-H", "127.0.0.1", "-p", str(self.port)]
        super().__init__(command, folder, self._greets, environ={"PYTHONPATH": str(ROOT)})

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def new_options(self, **changes: Any) -> SqsQueueOptions:
        """Return options of queues that nobody else has, with which little waits long."""
        options = sqs_options_for(self.url, f"q{next(_numbers)}-", lease=5)
        return changed(options, **{"fifo": False, **changes})

    def _greets(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1):
            return True


@asynccontextmanager
async def queues_with(options: SqsQueueOptions) -> AsyncIterator[Callable[[], SqsQueue]]:
    """Makes queues that share what is there; they are closed afterwards."""
    queues: list[SqsQueue] = []

    def make_queue() -> SqsQueue:
        queues.append(SqsQueue(LoopClock(asyncio.get_running_loop()), options))
        return queues[-1]

    yield make_queue
    for queue in queues:
        await queue.aclose()


@pytest.fixture
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the AWS libraries find credentials, in this process and those it starts."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-access-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")


@pytest.fixture(scope="session")
def sqs_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqsProcess]:
    """One server for the run."""
    server = SqsProcess(tmp_path_factory.mktemp("sqs"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sqs(sqs_process: SqsProcess, aws_credentials: None) -> SqsProcess:
    """The server, and credentials for it."""
    return sqs_process
