"""The queue in SQS keeps the contract: a FIFO queue, and one without order."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contracts.queue import MakeQueue, SharedQueueContract
from tests.servers.sqs_server import SqsProcess, queues_with


class TestSqsFifoQueue(SharedQueueContract):
    @pytest.fixture
    async def make_queue(self, sqs: SqsProcess) -> AsyncIterator[MakeQueue]:
        async with queues_with(sqs.new_options(fifo=True, wait_time_seconds=0)) as make_queue:
            yield make_queue


class TestSqsStandardQueue(SharedQueueContract):
    keeps_order_of_a_lane = False

    @pytest.fixture
    async def make_queue(self, sqs: SqsProcess) -> AsyncIterator[MakeQueue]:
        async with queues_with(sqs.new_options(wait_time_seconds=0)) as make_queue:
            yield make_queue
