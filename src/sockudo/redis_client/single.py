"""The client of one Redis, or of the master that sentinels name."""

from __future__ import annotations

from typing import Any

from sockudo.redis_client.base import RedisClient
from sockudo.redis_client.line import Line
from sockudo.redis_client.options import RedisTarget, RedisTiming
from sockudo.redis_client.request import RedisLost, RedisRequest
from sockudo.redis_client.sentinel import find_server


class SingleRedis(RedisClient):
    """One line to one server."""

    def __init__(self, target: RedisTarget, timing: RedisTiming) -> None:
        super().__init__(timing)
        self._target = target
        self._line: Line | None = None

    async def start(self) -> None:
        target, timing = self._target, self._timing
        line = self._line = Line(lambda: find_server(target, timing), timing, self._settle, self._changed)
        await line.open()

    async def check(self) -> None:
        line = self._opened()
        if line.problem is not None:
            raise RedisLost(line.problem)
        await self._ping(line)

    async def aclose(self) -> None:
        if self._line is not None:
            await self._line.aclose()

    def _send(self, request: RedisRequest[Any]) -> None:
        self._opened().send(request)

    def _slot(self, key: bytes) -> int:
        # There is one server only, so slots have no meaning.
        return 0

    def _opened(self) -> Line:
        assert self._line is not None, "the client is not started"
        return self._line

    def _changed(self, line: Line) -> None:
        if line.is_open:
            self._tell_restored()
