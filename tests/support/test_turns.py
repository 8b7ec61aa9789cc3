import asyncio
import time

from tests.support.turns import LONGEST_TURN, watched_server


async def test_a_turn_that_computes_is_measured() -> None:
    async with watched_server() as server:

        async def compute() -> None:
            until = time.thread_time() + 0.06
            while time.thread_time() < until:
                pass

        await server.do(compute)
        assert server.meter.take() >= 0.06


async def test_a_turn_that_waits_is_not() -> None:
    async with watched_server() as server:
        await server.do(lambda: asyncio.sleep(0.06))
        assert server.meter.take() < LONGEST_TURN
