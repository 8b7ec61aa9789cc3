"""The alert rules and the dashboard of `ops/`, against a real Prometheus and two workers under load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.ports import free_port
from tests.servers.prometheus_server import PrometheusProcess, promtool
from tests.servers.server import app
from tests.servers.workers import workers_process
from tests.support.source import ROOT

OPS: Final = ROOT / "ops"
RULES: Final = OPS / "prometheus/sockudo.rules.yml"
DASHBOARD: Final = OPS / "grafana/sockudo.json"
TOKEN: Final = "s3cret-token"
LIMIT: Final = {"max_requests": 1_000_000, "window_seconds": 60}

_COMPARISON: Final = re.compile(r"\s(==|<|>)\s")


def dashboard_queries() -> list[str]:
    """Return what the dashboard asks, with its variables replaced as Grafana does where everything is chosen."""
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    found += [
        re.sub(r"label_values\((\w+), (\w+)\)", r"count by (\2) (\1)", variable["query"]["query"])
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]
    values = {"$__rate_interval": "5m", "$instance": ".*", "$app": ".*"}
    for variable, value in values.items():
        found = [query.replace(variable, value) for query in found]
    return found


@contextlib.asynccontextmanager
async def loaded_workers(folder: Path) -> AsyncIterator[tuple[int, int]]:
    """Two workers under a steady load, with everything in use that is counted: their port, and the one of metrics."""
    port = free_port()
    metrics = {"enabled": True, "host": "127.0.0.1", "port": port, "token": TOKEN}
    limits = {"enabled": True, "api_rate_limit": LIMIT, "websocket_rate_limit": LIMIT}
    hook = {"url": f"http://127.0.0.1:{free_port()}/", "event_types": ["channel_occupied"]}
    changes: dict[str, Any] = {"app_manager": {"array": {"apps": [app(webhooks=[hook])]}}}
    changes |= {"metrics": metrics, "rate_limiter": limits}
    async with workers_process(folder, "--workers", "2", environ=None, **changes) as server:
        await server.greeted()
        load = asyncio.create_task(keep_busy(server.port))
        try:
            yield server.port, port
        finally:
            load.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await load


async def keep_busy(port: int) -> None:
    """Use everything some times a second, and leave the server room for scrapes."""
    api = ApiClient(port)
    while True:
        await PusherClient(port, "no-such-key").expect_refusal()
        async with PusherClient(port) as first, PusherClient(port) as second:
            for client in (first, second):
                for channel in ("news", "private-x"):
                    await client.subscribe(channel)
                await client.subscribe("presence-room", {"user_id": client.socket_id})
            for channel in ("news", "private-x", "presence-room"):
                await api.trigger(channel, "x")
            await first.trigger("private-x", "client-typing", {})
            while (await second.receive())["event"] != "client-typing":
                pass
        await asyncio.sleep(0.1)


async def assert_answered(server: PrometheusProcess, queries: list[str]) -> None:
    empty = []
    for query in queries:
        found = await asyncio.to_thread(server.query, query)
        if not found or all(sample["value"][1] == "NaN" for sample in found):
            empty.append(query)
    assert empty == []


async def test_no_query_of_alerts_and_dashboard_is_empty_or_fails(tmp_path: Path) -> None:
    async with loaded_workers(tmp_path) as (_, port):
        server = PrometheusProcess(tmp_path / "prometheus", port, TOKEN, RULES)
        try:
            await asyncio.to_thread(server.start)
            await assert_answered(server, dashboard_queries())
            rules = await asyncio.to_thread(server.rules)
            conditions = [_COMPARISON.sub(r" \1 bool ", rule["query"]) for rule in rules]
            assert all(query.count(" bool ") == 1 for query in conditions)
            await assert_answered(server, conditions)
            assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] == "err"} == {}
            firing = [rule["name"] for rule in rules if rule["state"] == "firing"]
            assert firing == []
        finally:
            await asyncio.to_thread(server.stop)


@pytest.mark.parametrize("what", ["rules", "config"])
def test_promtool_finds_nothing_wrong(what: str) -> None:
    file = RULES if what == "rules" else OPS / "prometheus/prometheus.yml"
    assert "SUCCESS" in promtool("check", what, str(file))


async def test_prometheus_with_a_wrong_token_gets_nothing(tmp_path: Path) -> None:
    async with loaded_workers(tmp_path) as (_, port):
        server = PrometheusProcess(tmp_path / "prometheus", port, "wrong", RULES)
        try:
            await asyncio.to_thread(server.start, is_up=False)
            assert await asyncio.to_thread(server.query, "sockudo_workers") == []
        finally:
            await asyncio.to_thread(server.stop)
