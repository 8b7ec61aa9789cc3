"""Answers scrapes with the figures of this process, or of all workers of this machine."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from sockudo.metrics.books import Books, Known
from sockudo.metrics.collector import Collector
from sockudo.metrics.exchange import FigureExchange
from sockudo.metrics.exposition import exposition
from sockudo.metrics.figures import Figures
from sockudo.timing.slices import Slices

# However many ask, figures are read no more often.
FRESH: Final = 0.1


class Scrapes:
    """Reads figures for whoever asks, for all who ask at the same time at once.

    Args:
        exchange: asks the other workers and tells them; None in a process that is alone.
        slices: runs what takes long where there are many apps.
    """

    def __init__(
        self, collector: Collector, books: Books, exchange: FigureExchange | None, prefix: str, slices: Slices
    ) -> None:
        self._collector = collector
        self._books = books
        self._exchange = exchange
        self._prefix = prefix
        self._slices = slices
        self._running: asyncio.Task[list[bytes]] | None = None
        self._text: list[bytes] = []
        self._read_at = float("-inf")
        self.port = 0

    async def text(self) -> list[bytes]:
        """Return the exposition, in parts."""
        if time.monotonic() - self._read_at < FRESH:
            return self._text
        if self._running is None:
            self._running = asyncio.create_task(self._read())
            self._running.add_done_callback(self._done)
        # One that hangs up leaves the others their answer.
        return await asyncio.shield(self._running)

    def stop(self) -> None:
        """Answer nobody any more."""
        if self._running is not None:
            self._running.cancel()

    def _done(self, task: asyncio.Task[list[bytes]]) -> None:
        self._running = None
        if not task.cancelled():
            # Who has asked is told; nobody may be left.
            task.exception()

    async def _read(self) -> list[bytes]:
        own = await self._collector.read()
        figures = own if self._exchange is None else await self._of_all(self._exchange, own)
        self._text = await self._slices.run(exposition(figures, self._prefix, self.port))
        self._read_at = time.monotonic()
        return self._text

    async def learn(self, exchange: FigureExchange) -> None:
        """Learn what the workers that are there know: each of them may be the last one that does."""
        for known in await self._ask(exchange, exchange.others()):
            if isinstance(known, Known):
                self._books.learn(known)

    async def _ask(self, exchange: FigureExchange, serials: list[int]) -> list[Known | BaseException | None]:
        questions = (exchange.ask(serial, self._books.number) for serial in serials)
        return await asyncio.gather(*questions, return_exceptions=True)

    async def _of_all(self, exchange: FigureExchange, own: Figures) -> Figures:
        serials = exchange.others()
        heard = await self._ask(exchange, serials)
        answers, silent = {exchange.serial: own}, []
        for serial, known in zip(serials, heard, strict=True):
            if isinstance(known, Known):
                self._books.learn(known)
                if known.figures is not None:
                    answers[serial] = known.figures
            elif isinstance(known, ConnectionError | FileNotFoundError):
                exchange.forget(serial)
            else:
                silent.append(serial)
        figures = await self._slices.run(self._books.settle(answers, silent))
        figures.set("workers_unanswered", len(silent))
        await exchange.tell(self._books.known())
        return figures
