"""The two endpoints that Pusher has deprecated and old libraries still call."""

from __future__ import annotations

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.nodes import Serve
from tests.servers.server import APP_ID, app

PATH = f"/apps/{APP_ID}/channels/news/events"


async def test_the_body_is_the_data_and_the_query_the_rest(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("news")
        params = {"name": "e", "socket_id": ann.socket_id}
        answer = await ApiClient(server.port).request("POST", PATH, "any text, ä".encode(), params)
        assert (answer.status, answer.body) == (202, b"")
        assert await bob.receive() == {"event": "e", "channel": "news", "data": "any text, ä"}
        await ann.expect_nothing()


@pytest.mark.parametrize(
    ("body", "params", "status"),
    [
        (b"\xff", {"name": "e"}, 400),
        (b"x", {}, 400),
        (b"x" * 1025, {"name": "e"}, 413),
    ],
)
async def test_what_is_not_valid_is_refused_like_any_event(
    serve: Serve, body: bytes, params: dict[str, str], status: int
) -> None:
    async with serve(app(max_event_payload_in_kb=1)) as server:
        (await ApiClient(server.port).request("POST", PATH, body, params)).error(status)


async def test_an_empty_body_is_empty_data(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        assert (await ApiClient(server.port).request("POST", PATH, b"", {"name": "e"})).status == 202
        assert (await client.expect("e"))["data"] == ""


async def test_stats_tell_every_count(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client, PusherClient(server.port) as tab:
        for one in (client, tab):
            await one.subscribe("presence-a", {"user_id": "ann"})
        await client.subscribe("b")
        await server.settled()
        api = ApiClient(server.port)
        assert (await api.get("/channels/presence-a/stats")).json() == {
            "occupied": True,
            "user_count": 1,
            "subscription_count": 2,
        }
        assert (await api.get("/channels/b/stats")).json() == {"occupied": True, "subscription_count": 1}
        assert (await api.get("/channels/c/stats")).json() == {"occupied": False, "subscription_count": 0}
