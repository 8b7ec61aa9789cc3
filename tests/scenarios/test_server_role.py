"""A server that only takes events, for clients of other nodes (`server_role` api)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sockudo.assembly.server import assemble
from sockudo.timing.clock import LoopClock
from tests.clients.client import ApiClient, PusherClient, http
from tests.clients.raw import HttpConnection, upgrade_bytes
from tests.fakes.memory_bus import MemoryBus
from tests.servers.server import APP_ID, KEY, RunningServer, quick_times, running_server, settings

API: dict[str, Any] = {"server_role": "api", "adapter": {"driver": "redis"}}


@contextlib.asynccontextmanager
async def api_and_clients() -> AsyncIterator[tuple[RunningServer, RunningServer]]:
    """Run a server of each role on one bus."""
    bus = MemoryBus()
    async with (
        running_server(adapter=bus.adapter()) as clients,
    ):
        clock = LoopClock(asyncio.get_running_loop())
        assembly = assemble(settings(**API), clock, bus.adapter(), quick_times())
        ((_, port),) = await assembly.start()
        try:
            yield RunningServer(port, assembly), clients
        finally:
            await assembly.stop()


def _event(**more: object) -> dict[str, object]:
    return {"name": "event", "channel": "news", "data": "hello"} | more


async def test_its_events_reach_clients_of_other_nodes() -> None:
    async with api_and_clients() as (api, clients), PusherClient(clients.port) as client:
        await client.subscribe("news")
        await ApiClient(api.port).trigger("news", "one")
        answer = await ApiClient(api.port).post("/batch_events", {"batch": [_event(data="two")]})
        assert (answer.status, answer.json()) == (200, {})
        assert [(await client.expect("event"))["data"] for _ in range(2)] == ["one", "two"]
        for path in ("/up", "/ready"):
            assert (await http(api.port, "GET", path)).status == 200


async def test_it_takes_no_client() -> None:
    async with api_and_clients() as (api, _), HttpConnection(api.port) as connection:
        await connection.write(upgrade_bytes(f"/app/{KEY}"))
        assert "server_role is api" in (await connection.answer()).error(404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/channels"),
        ("GET", "/channels/news"),
        ("GET", "/channels/presence-x/users"),
        ("POST", "/channels/news/events"),
        ("GET", "/connections"),
        ("POST", "/users/7/terminate_connections"),
        ("POST", "/users/7/force_reconnect"),
    ],
)
async def test_it_answers_404_with_the_reason_to_everything_else(method: str, path: str) -> None:
    async with api_and_clients() as (api, _):
        answer = await http(api.port, method, f"/apps/{APP_ID}{path}")
        assert "server_role is api" in answer.error(404)


async def test_it_refuses_to_answer_info_and_publishes_nothing() -> None:
    async with api_and_clients() as (api, clients), PusherClient(clients.port) as client:
        await client.subscribe("news")
        asking = _event(info="subscription_count")
        for path, body in (("/events", asking), ("/batch_events", {"batch": [_event(), asking]})):
            answer = await ApiClient(api.port).post(path, body)
            assert "server_role is api" in answer.error(400)
        await ApiClient(api.port).trigger("news", "last")
        assert (await client.expect("event"))["data"] == "last"
