"""A scrape of many apps gives way to clients: no turn of the event loop is long, and no step of the work is."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.hub.latency import BOUNDS
from sockudo.hub.totals import AppTotals
from sockudo.metrics.apps import read_apps
from sockudo.metrics.books import Books
from sockudo.metrics.exposition import exposition
from sockudo.metrics.figures import Figures
from sockudo.metrics.wire import decoded, encoded
from sockudo.timing.histogram import Histogram
from tests.clients.client import PusherClient
from tests.servers.server import RunningServer, app, running_server
from tests.support.scrapes import scrape
from tests.support.steps import watched_steps
from tests.support.turns import TOLERATED_TURN, WatchedServer, watched_server

APPS = 1000
WORKERS = 8
KINDS = ("public", "private", "presence")
SIZES = range(3)


def many_apps() -> list[dict[str, Any]]:
    return [app(id=f"{number}", key=f"key-{number}") for number in range(1, APPS + 1)]


def use(totals: AppTotals) -> None:
    totals.connections = totals.messages_sent = totals.bytes_sent = totals.http_calls = totals.client_events = 7
    for kind in KINDS:
        totals.channels[kind] = totals.subscriptions[kind] = totals.unsubscriptions[kind] = 7


async def use_all(server: RunningServer) -> None:
    """Let every app have been used, as connections and events of all kinds would."""
    hub = server.assembly.node.hub
    assert hub.flusher.latency is not None
    histograms = hub.flusher.latency.histograms
    for number in range(1, APPS + 1):
        use(hub.totals[f"{number}"])
        histograms |= {(f"{number}", kind, size): Histogram(BOUNDS) for kind in KINDS for size in SIZES}


async def port_of_metrics(server: WatchedServer) -> int:
    assert server.running.assembly.metrics is not None
    return server.running.assembly.metrics.listener.port


async def test_a_scrape_of_a_thousand_apps_keeps_turns_short() -> None:
    metrics = {"enabled": True, "host": "127.0.0.1", "port": 0}
    async with watched_server(*many_apps(), metrics=metrics) as server, PusherClient(server.port, "key-1") as client:
        await server.do(lambda: use_all(server.running))
        port = await port_of_metrics(server)
        server.meter.take()
        one = await scrape(port)
        longest = server.meter.take()
        await client.subscribe("news")
    assert longest < TOLERATED_TURN
    assert one.value("sockudo_new_connections_total") >= 7 * APPS
    assert sum(name == "sockudo_broadcast_latency_ms_count" for name, _ in one.samples) == APPS * len(KINDS) * len(
        SIZES
    )


def figures_of_many_apps() -> Figures:
    figures = Figures({})
    for number in range(APPS):
        for name in ("connected", "new_connections_total", "ws_messages_sent_total", "http_calls_received_total"):
            figures.set(name, 7, f"{number}")
        for kind in KINDS:
            for name in ("active_channels", "channel_subscriptions_total"):
                figures.set(name, 7, f"{number}", kind)
            figures.set_histogram("broadcast_latency_ms", Histogram(BOUNDS), f"{number}", kind, "xs")
    return figures


@pytest.mark.alone
def test_what_workers_tell_is_added_and_written_in_short_steps() -> None:
    """Each step is far below its share of a turn; all of it would take many turns."""
    books, figures = Books(), figures_of_many_apps()
    whole, settling, _ = watched_steps(books.settle(dict.fromkeys(range(WORKERS), figures), []))
    parts, encoding, _ = watched_steps(encoded(books.known(figures)))
    known, decoding, _ = watched_steps(decoded(b"".join(parts)))
    _, writing, _ = watched_steps(exposition(whole, "sockudo_", 6001))
    assert known.figures == figures
    assert max(settling, encoding, decoding, writing) < TOLERATED_TURN


async def test_the_figures_of_one_app_are_of_one_moment() -> None:
    async with running_server() as server:
        hub, figures = server.assembly.node.hub, Figures({})
        for number in range(3):
            use(hub.totals[f"{number}"])
        for _ in read_apps(figures, hub):
            for totals in hub.totals.values():
                totals.connections += 1
                totals.messages_sent += 1
        connections = dict(figures.samples("new_connections_total"))
        assert connections == dict(figures.samples("ws_messages_sent_total"))
        assert sorted(connections.values()) == [7, 8, 9]
