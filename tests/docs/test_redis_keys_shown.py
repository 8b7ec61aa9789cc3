"""The keys of the queue in Redis are those of the table in docs/webhooks.md, with the types it names."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from sockudo.queues.base import Delivery, Done, Failed, Outcome
from sockudo.queues.redis.queue import RedisQueue
from sockudo.timing.clock import LoopClock
from tests.fakes.jobs import RecordingHandler
from tests.servers.queue_process import options_for
from tests.servers.redis_server import RedisProcess
from tests.support.pages import section, table_rows
from tests.support.source import ROOT

ROWS: Final = table_rows(section(ROOT / "docs" / "webhooks.md", "### In Redis"))
PREFIX: Final = "sockudo_queue_keys:"
TYPES: Final = {"sorted set": "zset", "list": "list", "hash": "hash", "a number": "string"}


def shown() -> dict[str, str]:
    """Return a pattern for each row, and the type that Redis calls its value."""
    patterns = {}
    for key, what in ROWS:
        pattern = re.escape(key.strip("`")).replace("PREFIX", re.escape(PREFIX)).replace(r"\{N\}", r"\{0\}")
        patterns[re.sub("ENDPOINT|PROCESS", ".+", pattern)] = TYPES[re.split("[:,]", what)[0]]
    return patterns


async def test_the_queues_keys_and_types_are_those_shown(own_redis: RedisProcess) -> None:
    goes_on = asyncio.Event()

    async def answer(delivery: Delivery) -> Outcome:
        if delivery.job == b"fails":
            return Failed("no longer wanted")
        await goes_on.wait()
        return Done()

    handler = RecordingHandler(answer)
    queue = RedisQueue(LoopClock(asyncio.get_running_loop()), options_for(own_redis.url, PREFIX))
    try:
        await queue.start(handler)
        for job in (b"fails", b"hangs", b"waits"):
            await queue.push("app/endpoint", job)
        await handler.wait_for(2)
        found = {key: own_redis.cli("TYPE", key) for key in own_redis.cli("KEYS", "*").splitlines()}
    finally:
        goes_on.set()
        await queue.aclose()
    patterns = shown()
    for key, kind in found.items():
        assert [patterns[pattern] for pattern in patterns if re.fullmatch(pattern, key)] == [kind], key
    for pattern in patterns:
        assert any(re.fullmatch(pattern, key) for key in found), pattern
