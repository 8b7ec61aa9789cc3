"""Starts and stops everything that serves metrics."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Final, Protocol

from sockudo.log import get_logger
from sockudo.metrics.books import Books, Known
from sockudo.metrics.collector import Collector, Sources
from sockudo.metrics.exchange import FigureExchange
from sockudo.metrics.listener import MetricsListener
from sockudo.metrics.scrape_lock import ScrapeLock
from sockudo.metrics.scrapes import Scrapes
from sockudo.supervisor.listening.listeners import ListenError

_log = get_logger("sockudo.metrics")

# How often it is tried to listen, in seconds: where another worker does, and where the address cannot be had.
_TAKE_OVER: Final = 0.5
_TRY_AGAIN: Final = 5.0


class PrefixSection(Protocol):
    """The settings of the section `metrics.prometheus` that metrics read."""

    prefix: str


class MetricsSection(Protocol):
    """The settings of the section `metrics` that metrics read."""

    host: str
    port: int
    token: str | None

    @property
    def prometheus(self) -> PrefixSection:
        """How the figures are named."""


class MetricsService:
    """Counts, listens for scrapes where no other worker does, and answers those that other workers make.

    Args:
        worker_sockets: the directory that the workers of a supervisor share, and the serial number of this one.
    """

    def __init__(
        self, section: MetricsSection, sources: Sources, worker_sockets: tuple[Path, int] | None = None
    ) -> None:
        self._section = section
        self._collector = Collector(sources)
        self._books = Books()
        self._exchange: FigureExchange | None = None
        self._lock: ScrapeLock | None = None
        slices = sources.node.slices
        if worker_sockets is not None:
            directory, serial = worker_sockets
            self._lock = ScrapeLock(directory)
            self._exchange = FigureExchange(directory, serial, self._answer, self._hear, slices)
        self._scrapes = Scrapes(self._collector, self._books, self._exchange, section.prometheus.prefix, slices)
        front, clock = sources.front, sources.node.clock
        self.listener = MetricsListener(self._scrapes, section.token, front.timeouts, front.turn, clock.now)
        self._news = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def start(self, port: int) -> None:
        """Begin, for a server that clients reach on this port."""
        self._scrapes.port = port
        self._collector.start()
        if self._exchange is not None:
            try:
                await self._exchange.start()
                await self._scrapes.learn(self._exchange)
            except OSError as error:
                _log.warning("metrics of this worker not told to the others", reason=str(error))
        wait = await self._try_to_listen(is_first=True)
        if wait:
            self._keeping = asyncio.create_task(self._keep_trying(wait))

    async def aclose(self) -> None:
        """Tell the other workers what was counted last, and end; may be called again."""
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
            self._keeping = None
        self.listener.close()
        self._scrapes.stop()
        if self._lock is not None:
            self._lock.leave()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            # The worker that takes over asks this one for as long as its end of the exchange is open.
            self._books.take_leave(exchange.serial, await self._collector.read(is_first=False))
            await exchange.tell(self._books.known())
            exchange.close()
            if self._lock is not None and not exchange.others():
                self._lock.leave(is_last=True)
        self._collector.stop()

    async def _try_to_listen(self, *, is_first: bool) -> float:
        """Listen if no other worker does; return after how long to try again, 0 where it listens."""
        if self._lock is not None and not self._lock.take():
            return _TAKE_OVER
        section = self._section
        try:
            await self.listener.open(section.host, section.port)
        except ListenError as error:
            if is_first:
                reason = str(error.__cause__ or error)
                _log.warning(
                    "metrics not served: it cannot listen (metrics.host, metrics.port)",
                    host=section.host,
                    port=section.port,
                    reason=reason,
                    again_in=_TRY_AGAIN,
                )
            return _TRY_AGAIN
        return 0.0

    async def _keep_trying(self, wait: float) -> None:
        while wait:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()
            is_first = wait != _TRY_AGAIN
            wait = await self._try_to_listen(is_first=is_first)

    # What the other workers ask and tell

    async def _answer(self, since: int) -> Known:
        return self._books.known(await self._collector.read(is_first=False), since)

    def _hear(self, known: Known) -> None:
        self._books.learn(known)
        # The worker that leaves may have been the one that listened.
        self._news.set()
