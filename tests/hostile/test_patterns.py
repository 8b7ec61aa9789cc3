"""Patterns of webhooks and names of channels that together stop other engines."""

from __future__ import annotations

import pytest

from tests.clients.client import PusherClient
from tests.servers.server import app
from tests.support.turns import TOLERATED_TURN, watched_server

PATTERNS = [r"^([a-z0-9]+-?)+$", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(x+x+)+y", r"(.?){1000}=!", r"([a-z]{0,30}){0,30}!"]


@pytest.mark.parametrize("pattern", PATTERNS)
async def test_a_channel_name_holds_no_pattern_of_a_webhook(pattern: str) -> None:
    hook = {"url": "http://127.0.0.1:9/", "event_types": ["channel_occupied"], "filter": {"channel_pattern": pattern}}

    async with watched_server(app(webhooks=[hook])) as server, PusherClient(server.port) as client:
        server.meter.take()
        await client.subscribe("x" * 199 + "=")
        await client.send({"event": "pusher:ping", "data": {}})
        await client.expect("pusher:pong")

        assert server.meter.take() < TOLERATED_TURN
