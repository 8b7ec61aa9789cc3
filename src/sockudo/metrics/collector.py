"""Reads the figures of this process when a scrape asks for them; until then its parts count in plain integers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from sockudo.cluster.cluster import Cluster
from sockudo.errors import DriverError
from sockudo.hub.latency import BroadcastLatency
from sockudo.log import get_logger
from sockudo.metrics import apps, process
from sockudo.metrics.figures import Figures
from sockudo.metrics.loop_lag import LoopLag
from sockudo.node.node import Node
from sockudo.node.publisher import Publisher
from sockudo.server.front import Front
from sockudo.timing.slices import Steps
from sockudo.webhooks.service import WebhookService

_log = get_logger("sockudo.metrics")

# A store that does not say how its queue is doing holds up no scrape for longer.
_QUEUE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Sources:
    """The parts of a server that count.

    Attributes:
        worker: the place of this process among the workers of its machine.
        shares_queue: whether several processes have one queue of webhooks.
    """

    node: Node
    publisher: Publisher
    front: Front
    webhooks: WebhookService | None
    worker: str
    shares_queue: bool


class Collector:
    """Reads the figures of one process."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._latency = BroadcastLatency(sources.node.clock.monotonic)
        self._lag = LoopLag(sources.node.clock)

    def start(self) -> None:
        """Begin to measure what costs something: the lag of the event loop, and broadcasts."""
        self._sources.node.hub.flusher.latency = self._sources.publisher.latency = self._latency
        self._lag.start()

    def stop(self) -> None:
        """Measure nothing more; may be called again."""
        self._sources.node.hub.flusher.latency = self._sources.publisher.latency = None
        self._lag.stop()

    async def read(self, *, is_first: bool = True) -> Figures:
        """Return the figures of this moment.

        Args:
            is_first: whether this process also tells what it shares with others.
        """
        figures = Figures({})
        await self._read_queue(figures, is_first=is_first)
        await self._sources.node.slices.run(self._steps(figures))
        return figures

    def _steps(self, figures: Figures) -> Steps[None]:
        sources = self._sources
        node = sources.node
        hub, peers = node.hub, node.peers
        cluster = peers if isinstance(peers, Cluster) else None
        yield from apps.read_apps(figures, hub)
        yield from apps.read_channels(figures, hub, peers, "" if cluster is None else cluster.node_id)
        apps.read_rate_limits(figures, sources.front.limited)
        yield from apps.read_latency(figures, self._latency)
        yield from process.read_sockets(figures, sources.front, sources.worker)
        process.read_node(figures, node)
        process.read_flusher(figures, hub.flusher, sources.worker)
        figures.set_histogram("event_loop_lag_seconds", self._lag.histogram, sources.worker)
        if cluster is not None:
            apps.read_answers(figures, cluster.counters)
            process.read_cluster(figures, cluster)

    async def _read_queue(self, figures: Figures, *, is_first: bool) -> None:
        webhooks = self._sources.webhooks
        if webhooks is None:
            return
        process.read_deliveries(figures, webhooks.sender.counters)
        # Known also when the store is away or closed: a counter must not go back.
        figures.set("webhook_jobs_lost_total", webhooks.queue.lost)
        try:
            async with asyncio.timeout(_QUEUE_SECONDS):
                counts = await webhooks.queue.counts()
        except (DriverError, TimeoutError) as error:
            _log.debug("metrics: the webhook queue does not answer", reason=str(error))
        else:
            process.read_queue(figures, counts, is_told_by_another=self._sources.shares_queue and not is_first)
