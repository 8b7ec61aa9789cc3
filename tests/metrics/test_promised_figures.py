"""The figures that operators are promised, each moved by what it counts, on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from sockudo.cluster.messages.topics import EVERYONE
from sockudo.metrics import scrapes
from tests.clients.client import ApiClient, PusherClient
from tests.clients.raw import RawWebSocket
from tests.fakes.memory_bus import MemoryBus
from tests.servers.server import APP_ID, RunningServer, app, running_server
from tests.servers.webhook_receiver import webhook_receiver
from tests.support.scrapes import Scrape, scrape
from tests.support.waiting import eventually

METRICS: dict[str, Any] = {"enabled": True, "host": "127.0.0.1", "port": 0}


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrapes, "FRESH", 0.0)


async def scraped(server: RunningServer) -> Scrape:
    assert server.assembly.metrics is not None
    return await scrape(server.assembly.metrics.listener.port)


async def until(server: RunningServer, is_so: Callable[[Scrape], bool]) -> Scrape:
    """Scrape until the figures are so, and return them."""

    async def ask() -> bool:
        return is_so(await scraped(server))

    await eventually(ask)
    return await scraped(server)


@asynccontextmanager
async def two_nodes(bus: MemoryBus) -> AsyncIterator[tuple[RunningServer, RunningServer]]:
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(running_server(adapter=bus.adapter(), metrics=METRICS)) for _ in range(2)
        ]
        for node in (first, second):
            await until(node, lambda one: one.value("sockudo_cluster_nodes") == 2)
        yield first, second


async def test_client_events_above_their_rate_are_counted() -> None:
    async with (
        running_server(app(max_client_events_per_second=2), metrics=METRICS, speed=0.1) as server,
        PusherClient(server.port) as client,
    ):
        await client.subscribe("private-room")
        for _ in range(5):
            await client.trigger("private-room", "client-typing", {})
        for _ in range(3):
            assert (await client.expect("pusher:error"))["data"]["code"] == 4301
        one = await scraped(server)
    of = {"app_id": APP_ID, "limiter_type": "client_events", "request_context": "unknown"}
    assert one.value("sockudo_rate_limit_checks_total", **of) == 5
    assert one.value("sockudo_rate_limit_triggered_total", **of) == 3
    assert one.value("sockudo_refusals_total", code="4301") == 3


async def test_client_events_have_series_only_once_they_come() -> None:
    async with running_server(metrics=METRICS) as server, PusherClient(server.port):
        one = await scraped(server)
    assert one.value("sockudo_connected", app_id=APP_ID) == 1
    assert "client_events" not in one.text


async def test_outboxes_and_the_dropped_client_are_shown() -> None:
    async with (
        running_server(metrics=METRICS, websocket={"max_buffer_kb": 64}) as server,
        RawWebSocket(server.port, receive_buffer=4096) as slow,
    ):
        await slow.subscribe("news")
        api = ApiClient(server.port)
        largest = 0.0
        while not (one := await scraped(server)).value("sockudo_slow_consumers_total"):
            largest = max(largest, one.value("sockudo_outbox_largest_bytes"))
            assert one.value("sockudo_outbox_bytes") == one.value("sockudo_outbox_largest_bytes")
            await api.trigger("news", "x" * 20_000)
    assert largest > 0
    assert one.value("sockudo_slow_consumers_total") == one.value("sockudo_refusals_total", code="4100") == 1


async def test_a_full_process_counts_the_sockets_it_refuses() -> None:
    async with running_server(metrics=METRICS) as server, PusherClient(server.port):
        server.assembly.front.room.most = 1
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert (await reader.readline()).startswith(b"HTTP/1.1 503")
        writer.close()
        assert (await scraped(server)).value("sockudo_sockets_refused_total") == 1


async def test_each_node_shows_what_it_knows_of_others() -> None:
    async with two_nodes(MemoryBus()) as (first, second), PusherClient(second.port) as client:
        await client.subscribe("news")
        kinds = ("connections", "channels", "users")

        def knows(one: Scrape) -> bool:
            return [one.value("sockudo_replica_entries", kind=kind) for kind in kinds] == [1, 1, 0]

        one = await until(first, knows)
        assert one.value("sockudo_bus_connected") == 1
        assert 0 <= one.value("sockudo_bus_lag_seconds") < 60
        before = [await scraped(node) for node in (first, second)]
        await ApiClient(first.port).trigger("news", "x")
        await client.expect("event")
        after = [await scraped(node) for node in (first, second)]
    event = "sockudo_bus_messages_total"
    for figures, direction in zip(zip(before, after, strict=True), ("sent", "received"), strict=True):
        old, new = (one.value(event, kind="event", direction=direction) for one in figures)
        assert new - old == 1
        assert figures[1].value(event, kind="state", direction=direction) > 0


async def test_questions_between_nodes_and_their_answers_are_counted() -> None:
    async with two_nodes(MemoryBus()) as (first, second):
        both = [
            await until(node, lambda one: one.value("sockudo_horizontal_adapter_received_responses") > 0)
            for node in (first, second)
        ]
    of = {"app_id": "cluster"}
    for one in both:
        answered = one.value("sockudo_horizontal_adapter_resolved_promises", **of)
        assert answered == one.value("sockudo_horizontal_adapter_resolve_time_count", **of) > 0
        assert one.value("sockudo_horizontal_adapter_sent_requests", **of) >= answered
    asked, received = (
        sum(one.value(f"sockudo_horizontal_adapter_{name}", **of) for one in both)
        for name in ("sent_requests", "received_requests")
    )
    assert asked > 0
    assert received > 0


async def test_bus_messages_that_no_node_sends_are_counted() -> None:
    bus = MemoryBus()
    async with two_nodes(bus) as (_, second):
        bus.nodes[0].publish(EVERYONE, b"\xff" * 40)
        dropped = "sockudo_bus_messages_dropped_total"
        one = await until(second, lambda one: one.value(dropped, reason="misunderstood") == 1)
    assert {dict(labels)["reason"] for name, labels in one.samples if name == dropped} == {
        "misunderstood",
        "overflowed",
        "failed",
    }


async def test_webhooks_are_shown_from_the_queue_to_delivery() -> None:
    async with webhook_receiver() as receiver:
        status = 500
        receiver.answer = lambda _: status
        hooked = app(webhooks=[{"url": receiver.url, "event_types": ["channel_occupied"]}])
        async with running_server(hooked, metrics=METRICS) as server, PusherClient(server.port) as client:
            await client.subscribe("news")
            one = await until(server, lambda one: one.value("sockudo_webhook_queue_oldest_seconds") > 0)
            assert one.value("sockudo_webhook_queue_depth") == 1
            status = 200
            one = await until(server, lambda one: one.value("sockudo_webhook_events_total") == 1)
    assert one.value("sockudo_webhook_deliveries_total", outcome="delivered") == 1
    assert one.value("sockudo_webhook_jobs_lost_total") == one.value(
        "sockudo_webhook_deliveries_total", outcome="failed"
    )


async def test_flushes_are_counted_by_the_sockets_they_write() -> None:
    async with running_server(metrics=METRICS) as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(PusherClient(server.port)) for _ in range(5)]
        for client in clients:
            await client.subscribe("news")
        before = await scraped(server)
        await ApiClient(server.port).trigger("news", "x")
        for client in clients:
            await client.expect("event")
        after = await scraped(server)
    count, total = (
        after.value(f"sockudo_flush_batch_sockets_{what}") - before.value(f"sockudo_flush_batch_sockets_{what}")
        for what in ("count", "sum")
    )
    assert (count, total) == (1, 5)
