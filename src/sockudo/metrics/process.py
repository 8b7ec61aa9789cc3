"""Reads the figures of a process that belong to no app: its sockets, its event loop, webhooks, and the bus."""

from __future__ import annotations

from sockudo.cluster.cluster import Cluster
from sockudo.hub.outbox import SLICE, Flusher
from sockudo.metrics.families import BATCH_BOUNDS
from sockudo.metrics.figures import Figures
from sockudo.node.node import Node
from sockudo.queues.base import QueueCounts
from sockudo.server.front import Front
from sockudo.timing.histogram import Histogram
from sockudo.timing.slices import Steps
from sockudo.webhooks.delivery.deliveries import DeliveryCounters


def read_node(figures: Figures, node: Node) -> None:
    """Read whom this process has turned away."""
    figures.set("workers", 1)
    figures.set("slow_consumers_total", node.counters.slow_consumers)
    for code, count in list(node.refusals.totals.items()):
        figures.set("refusals_total", count, str(code))


def read_sockets(figures: Figures, front: Front, worker: str) -> Steps[None]:
    """Read the sockets, and what waits to be sent to them, some sockets a step."""
    websockets = list(front.websockets.sockets)
    unsent, largest, serving = 0, 0, 0
    for socket in websockets:
        size = socket.unsent_bytes
        unsent += size
        largest = max(largest, size)
        serving += socket.is_serving
        yield None
    figures.set("sockets", front.http_count, "http", worker)
    figures.set("sockets", serving, "websocket", worker)
    figures.set("sockets", len(websockets) - serving, "closing", worker)
    figures.set("sockets_refused_total", front.room.refused)
    figures.set("outbox_bytes", unsent, worker)
    figures.set("outbox_largest_bytes", largest, worker)


def read_flusher(figures: Figures, flusher: Flusher, worker: str) -> None:
    """Read how many sockets were written at a time."""
    histogram = Histogram(BATCH_BOUNDS)
    for size, times in enumerate(flusher.batches[: SLICE + 1]):
        if times:
            histogram.add(size, times)
    figures.set_histogram("flush_batch_sockets", histogram, worker)


def read_deliveries(figures: Figures, counters: DeliveryCounters) -> None:
    """Read what this process has sent to webhook receivers."""
    for outcome, count in (
        ("delivered", counters.delivered),
        ("retried", counters.retried),
        ("failed", counters.failed),
    ):
        figures.set("webhook_deliveries_total", count, outcome)
    figures.set("webhook_events_total", counters.events)


def read_queue(figures: Figures, counts: QueueCounts, *, is_told_by_another: bool) -> None:
    """Read the queue; where several processes share it, one of them tells what it holds."""
    if not is_told_by_another:
        figures.set("webhook_queue_depth", counts.depth)
        figures.set("webhook_queue_oldest_seconds", counts.oldest)
        figures.set("webhook_queue_failed", counts.failed)


def read_cluster(figures: Figures, cluster: Cluster) -> None:
    """Read what this node says and hears, and what it knows of others."""
    counters = cluster.counters
    figures.set("bus_connected", int(cluster.is_healthy))
    figures.set("bus_lag_seconds", cluster.lag)
    figures.set("cluster_nodes", len(cluster.nodes) + 1)
    for kind, direction, count in (
        ("event", "sent", counters.events_sent),
        ("event", "received", counters.events_received),
        ("state", "sent", cluster.said - counters.cached_sent),
        ("state", "received", counters.said_received - counters.cached_received),
    ):
        figures.set("bus_messages_total", count, kind, direction)
    for reason, count in (
        ("misunderstood", counters.misunderstood),
        ("overflowed", counters.overflowed),
        ("failed", counters.failed),
    ):
        figures.set("bus_messages_dropped_total", count, reason)
    for kind, count in zip(("connections", "channels", "users"), cluster.replica.sizes(), strict=True):
        figures.set("replica_entries", count, kind)
