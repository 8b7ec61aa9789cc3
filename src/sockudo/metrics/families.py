"""Lists the metric families: names, types, labels, meanings. `docs/metrics.md` has the same table.

The first 23 are those of Sockudo, with its names; the rest are this server's own. Nine counters of the first are
without `_total`, so that existing dashboards find them.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from sockudo.cluster.counters import ANSWER_BOUNDS
from sockudo.hub.latency import BOUNDS

# Seconds.
LAG_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
# Sockets.
BATCH_BOUNDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 255.0)


class FamilyType(Enum):
    """The type of a family."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Family(NamedTuple):
    """A metric family.

    Attributes:
        name: without the prefix of the settings.
        labels: besides `port`, which every sample has.
        bounds: the upper bounds of the buckets of a histogram.
        is_maximum: of several workers the largest value is shown, and not the sum.
    """

    name: str
    kind: FamilyType
    labels: tuple[str, ...]
    text: str
    bounds: tuple[float, ...] = ()
    is_maximum: bool = False


def _counter(name: str, text: str, *labels: str) -> Family:
    return Family(name, FamilyType.COUNTER, labels, text)


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name, FamilyType.GAUGE, labels, text)


def _largest(name: str, text: str, *labels: str) -> Family:
    return Family(name, FamilyType.GAUGE, labels, text, is_maximum=True)


def _histogram(name: str, text: str, bounds: tuple[float, ...], *labels: str) -> Family:
    return Family(name, FamilyType.HISTOGRAM, labels, text, bounds)


_LIMITER: Final = ("app_id", "limiter_type", "request_context")
_OF_CHANNELS: Final = ("app_id", "channel_type")

ORIGINAL: Final = (
    _gauge("connected", "Open WebSocket connections.", "app_id"),
    _counter("new_connections_total", "Accepted WebSocket connections.", "app_id"),
    _counter("new_disconnections_total", "Ended WebSocket connections.", "app_id"),
    _counter("connection_errors_total", "Refused connections, upgrades and messages.", "app_id", "error_type"),
    _counter("socket_received_bytes", "Payload bytes of the messages of clients.", "app_id"),
    _counter("socket_transmitted_bytes", "Bytes of frames queued for clients, once for each recipient.", "app_id"),
    _counter("ws_messages_received_total", "Messages of clients.", "app_id"),
    _counter("ws_messages_sent_total", "Frames queued for clients, once for each recipient.", "app_id"),
    _counter("http_received_bytes", "Body bytes of the HTTP requests that were carried out.", "app_id"),
    _counter("http_transmitted_bytes", "Body bytes of the answers to them.", "app_id"),
    _counter("http_calls_received_total", "HTTP requests that were carried out.", "app_id"),
    _histogram("horizontal_adapter_resolve_time", "Milliseconds until other nodes answered.", ANSWER_BOUNDS, "app_id"),
    _counter("horizontal_adapter_resolved_promises", "Questions to other nodes that were answered.", "app_id"),
    _counter("horizontal_adapter_uncomplete_promises", "Questions without an answer in time.", "app_id"),
    _counter("horizontal_adapter_sent_requests", "Questions to other nodes.", "app_id"),
    _counter("horizontal_adapter_received_requests", "Questions of other nodes.", "app_id"),
    _counter("horizontal_adapter_received_responses", "Answers of other nodes.", "app_id"),
    _counter("rate_limit_checks_total", "Requests, connections and client events that a limit counts.", *_LIMITER),
    _counter("rate_limit_triggered_total", "Those of them that the limit refused.", *_LIMITER),
    _counter("channel_subscriptions_total", "Subscriptions.", *_OF_CHANNELS),
    _counter(
        "channel_unsubscriptions_total", "Ended subscriptions, those of ended connections included.", *_OF_CHANNELS
    ),
    _gauge(
        "active_channels", "Channels with subscribers; of several nodes, one counts a shared channel.", *_OF_CHANNELS
    ),
    _histogram(
        "broadcast_latency_ms",
        "Milliseconds from an event of the HTTP API until it is written to all its subscribers on this node.",
        BOUNDS,
        *_OF_CHANNELS,
        "recipient_count_bucket",
    ),
)

OWN: Final = (
    _gauge("workers", "Processes whose figures these are."),
    _gauge("workers_unanswered", "Workers that did not answer; their last known counters are in these figures."),
    _gauge(
        "sockets",
        "Open sockets: `http`, `websocket`, and `closing` for refused ones and those that end.",
        "state",
        "worker",
    ),
    _counter("sockets_refused_total", "Connections for which the limit on open files left no room."),
    _gauge("outbox_bytes", "Unsent bytes of all WebSocket connections.", "worker"),
    _largest("outbox_largest_bytes", "Unsent bytes of the connection that has most.", "worker"),
    _counter("slow_consumers_total", "Connections that were dropped because they did not read."),
    _counter("refusals_total", "Refusals, by the close code, error code or HTTP status.", "code"),
    _histogram("event_loop_lag_seconds", "How late a timer of the event loop was.", LAG_BOUNDS, "worker"),
    _histogram("flush_batch_sockets", "Sockets that were written in one go.", BATCH_BOUNDS, "worker"),
    _counter("webhook_deliveries_total", "Attempts: `delivered`, `retried`, `failed`.", "outcome"),
    _counter("webhook_events_total", "Events that webhooks have delivered."),
    _gauge("webhook_queue_depth", "Jobs that wait or are under way, in all processes that share the queue."),
    _largest("webhook_queue_oldest_seconds", "Age of the oldest of these jobs."),
    _gauge("webhook_queue_failed", "Jobs in the list of failed jobs."),
    _counter("webhook_jobs_lost_total", "Jobs that had to be given up."),
    _counter(
        "bus_messages_total", "Messages between nodes: `event` or `state`, `sent` or `received`.", "kind", "direction"
    ),
    _counter("bus_messages_dropped_total", "Received messages that the node dropped.", "reason"),
    _gauge("bus_connected", "Workers that reach the bus between nodes."),
    _largest("bus_lag_seconds", "How long the last sign of life was under way, where the bus brings it back."),
    _largest("cluster_nodes", "Nodes that are alive, this one included."),
    _largest("replica_entries", "What this node knows of other nodes: `connections`, `channels`, `users`.", "kind"),
)

FAMILIES: Final = {family.name: family for family in (*ORIGINAL, *OWN)}
