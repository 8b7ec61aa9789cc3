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
from sockudo.supervisor.listening.listeners import Sockets, close_listeners

_log = get_logger("sockudo.metrics")

# How often a worker looks whether it is the one that listens now (seconds).
_TAKE_OVER: Final = 0.5


class PrefixSection(Protocol):
    """The settings of the section `metrics.prometheus` that metrics read."""

    prefix: str


class MetricsSection(Protocol):
    """The settings of the section `metrics` that metrics read."""

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
        self._sockets: Sockets = ()
        self._is_started = False

    async def start(self, port: int, sockets: Sockets) -> None:
        """Begin, for a server that clients reach on this port; scrapers are served on these sockets."""
        self._sockets, self._is_started = sockets, True
        self._scrapes.port = port
        self._collector.start()
        if self._exchange is not None:
            try:
                await self._exchange.start()
                await self._scrapes.learn(self._exchange)
            except OSError as error:
                _log.warning("metrics of this worker not told to the others", reason=str(error))
        if not sockets:
            _log.warning("metrics not served: they were switched on after the start; restart the server")
        elif not await self._is_open_now():
            self._keeping = asyncio.create_task(self._keep_trying())

    async def aclose(self) -> None:
        """Tell the other workers what was counted last, and end; may be called again, and before the start."""
        if not self._is_started:
            return
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
            self._keeping = None
        self.listener.close()
        close_listeners([self._sockets])
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

    async def _is_open_now(self) -> bool:
        """Listen if no other worker does; tell whether this one does now."""
        if self._lock is not None and not self._lock.take():
            return False
        await self.listener.open(self._sockets)
        return True

    async def _keep_trying(self) -> None:
        while not await self._is_open_now():
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TAKE_OVER):
                    await self._news.wait()

    # What the other workers ask and tell

    async def _answer(self, since: int) -> Known:
        return self._books.known(await self._collector.read(is_first=False), since)

    def _hear(self, known: Known) -> None:
        self._books.learn(known)
        # The worker that leaves may have been the one that listened.
        self._news.set()
