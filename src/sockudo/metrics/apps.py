"""Reads the figures that have the label `app_id`, the original's among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from sockudo.cluster.counters import ClusterCounters
from sockudo.cluster.peers import Peers
from sockudo.hub.hub import Hub
from sockudo.hub.latency import BroadcastLatency, size_name
from sockudo.hub.totals import AppTotals
from sockudo.metrics.figures import Figures
from sockudo.ratelimit.counters import Checks, RateLimitCounters
from sockudo.timing.slices import Steps

# What the original calls the kinds of channels; a cache variant counts as what it is a variant of.
_TYPES: Final = {
    "public": "public",
    "server-to-user": "public",
    "private": "private",
    "private-cache": "cache",
    "cache": "cache",
    "presence": "presence",
    "presence-cache": "presence",
    "private-encrypted": "encrypted",
    "private-encrypted-cache": "encrypted",
}
# What belongs to no app.
_CLUSTER: Final = "cluster"
_GLOBAL: Final = "global"
# The context of a check -> the limit that it belongs to.
_LIMITERS: Final = {
    "websocket_upgrade": "websocket_rate_limit",
    "http_api": "api_rate_limit",
    "health_check": "api_rate_limit",
    "other": "api_rate_limit",
}
# Channels that are looked at in one step.
_STEP: Final = 100


def read_apps(figures: Figures, hub: Hub) -> Iterator[None]:
    """Read what apps have done, one app a step."""
    for app_id, totals in list(hub.totals.items()):
        _read_app(figures, app_id, totals)
        if totals.connections:
            figures.set("connected", hub.connection_count(app_id), app_id)
        yield


def _read_app(figures: Figures, app_id: str, totals: AppTotals) -> None:
    for name, value in (
        ("new_connections_total", totals.connections),
        ("new_disconnections_total", totals.disconnections),
        ("socket_received_bytes", totals.bytes_received),
        ("socket_transmitted_bytes", totals.bytes_sent),
        ("ws_messages_received_total", totals.messages_received),
        ("ws_messages_sent_total", totals.messages_sent),
    ):
        # A series appears with its first use.
        if value or totals.connections:
            figures.set(name, value, app_id)
    if totals.http_calls:
        figures.set("http_calls_received_total", totals.http_calls, app_id)
        figures.set("http_received_bytes", totals.http_bytes_received, app_id)
        figures.set("http_transmitted_bytes", totals.http_bytes_sent, app_id)
    for kind, count in totals.errors.items():
        figures.set("connection_errors_total", count, app_id, kind)
    for name, counts in (
        ("channel_subscriptions_total", totals.subscriptions),
        ("channel_unsubscriptions_total", totals.unsubscriptions),
    ):
        for label, count in counts.items():
            figures.set(name, count, app_id, _TYPES[label])
    if totals.client_events:
        limits = (app_id, "client_events", "unknown")
        figures.set("rate_limit_checks_total", totals.client_events, *limits)
        figures.set("rate_limit_triggered_total", totals.client_events_refused, *limits)


def read_channels(figures: Figures, hub: Hub, peers: Peers, node_id: str) -> Steps[None]:
    """Read how many channels have subscribers.

    Of the nodes that have subscribers of a channel, the one with the smallest id counts it, so that the sum over all
    nodes is right. A node that is alone need not look at each channel.
    """
    for app_id, totals in list(hub.totals.items()):
        counts = Counter({_TYPES[label]: 0 for label in totals.channels})
        if peers.is_alone:
            for label, count in list(totals.channels.items()):
                counts[_TYPES[label]] += count
        else:
            for number, channel in enumerate(list(hub.channels(app_id))):
                remote = peers.replica.channel(app_id, channel.name)
                if remote is None or all(node_id < other for other in remote.counts):
                    counts[_TYPES[channel.kind.label]] += 1
                if number % _STEP == 0:
                    yield None
        for channel_type, count in counts.items():
            figures.set("active_channels", count, app_id, channel_type)
        yield None


def read_rate_limits(figures: Figures, limited: RateLimitCounters) -> None:
    """Read what the limits by client address have done. A context without a check has no series yet."""
    for context, limiter in _LIMITERS.items():
        checks: Checks = getattr(limited, context)
        if checks.checks:
            figures.set("rate_limit_checks_total", checks.checks, _GLOBAL, limiter, context)
            figures.set("rate_limit_triggered_total", checks.triggered, _GLOBAL, limiter, context)


def read_answers(figures: Figures, counters: ClusterCounters) -> None:
    """Read what this node has asked others."""
    for name, value in (
        ("horizontal_adapter_resolved_promises", counters.answered),
        ("horizontal_adapter_uncomplete_promises", counters.unanswered),
        ("horizontal_adapter_sent_requests", counters.questions_sent),
        ("horizontal_adapter_received_requests", counters.questions_received),
        ("horizontal_adapter_received_responses", counters.answers_received),
    ):
        figures.set(name, value, _CLUSTER)
    figures.set_histogram("horizontal_adapter_resolve_time", counters.answer_times, _CLUSTER)


def read_latency(figures: Figures, latency: BroadcastLatency) -> Iterator[None]:
    """Read how long broadcasts took, one audience a step."""
    for (app_id, label, size), histogram in list(latency.histograms.items()):
        figures.set_histogram("broadcast_latency_ms", histogram, app_id, _TYPES[label], size_name(size))
        yield
