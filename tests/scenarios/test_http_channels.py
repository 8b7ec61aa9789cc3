"""Questions about channels over HTTP."""

from __future__ import annotations

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.nodes import Serve
from tests.servers.server import app

pytestmark = pytest.mark.every_topology


async def test_the_list_has_every_occupied_channel_or_an_empty_object(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        assert (await ApiClient(server.port).get("/channels")).body == b'{"channels":{}}'
        await client.subscribe("a")
        await client.subscribe("presence-b", {"user_id": "ann"})
        await server.settled()
        assert await ApiClient(server.port).channels() == {"a": {}, "presence-b": {}}


async def test_the_list_may_be_filtered_by_prefix(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        for channel in ("news-a", "news-b", "old-news-c"):
            await client.subscribe(channel)
        await server.settled()
        assert await ApiClient(server.port).channels(filter_by_prefix="news-") == {"news-a": {}, "news-b": {}}


async def test_the_list_tells_what_is_asked_and_drops_no_channel(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client, PusherClient(server.port) as tab:
        for one in (client, tab):
            await one.subscribe("presence-a", {"user_id": "ann"})
        await client.subscribe("b")
        await server.settled()
        api = ApiClient(server.port)
        assert await api.channels(info="subscription_count,occupied,unknown") == {
            "presence-a": {"subscription_count": 2, "occupied": True},
            "b": {"subscription_count": 1, "occupied": True},
        }
        assert await api.channels(info="user_count", filter_by_prefix="presence-") == {"presence-a": {"user_count": 1}}


@pytest.mark.parametrize("prefix", ["", "private-", "pres"])
async def test_user_count_of_channels_that_may_lack_presence_is_400(serve: Serve, prefix: str) -> None:
    async with serve() as server:
        answer = await ApiClient(server.port).get("/channels", info="user_count", filter_by_prefix=prefix)
        assert "filter_by_prefix=presence-" in answer.error(400)


async def test_a_channel_is_occupied_or_not(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        api = ApiClient(server.port)
        assert (await api.get("/channels/a")).json() == {"occupied": False}
        await client.subscribe("a")
        await server.settled()
        assert (await api.get("/channels/a")).json() == {"occupied": True}
        await client.unsubscribe("a")
        await server.settled()
        assert (await api.get("/channels/a")).json() == {"occupied": False}


async def test_a_channel_tells_what_is_asked(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client, PusherClient(server.port) as tab:
        for one in (client, tab):
            await one.subscribe("presence-a", {"user_id": "ann"})
        await server.settled()
        answer = await ApiClient(server.port).get("/channels/presence-a", info="user_count,subscription_count")
        assert answer.json() == {"occupied": True, "user_count": 1, "subscription_count": 2}
        answer = await ApiClient(server.port).get("/channels/b", info="subscription_count,unknown")
        assert answer.json() == {"occupied": False, "subscription_count": 0}


async def test_user_count_of_a_channel_without_presence_is_400(serve: Serve) -> None:
    async with serve() as server:
        (await ApiClient(server.port).get("/channels/a", info="user_count")).error(400)


async def test_cache_is_told_of_cache_channels_only(serve: Serve) -> None:
    async with serve() as server:
        api = ApiClient(server.port)
        assert (await api.get("/channels/cache-a", info="cache")).json() == {"occupied": False, "cache": None}
        assert (await api.get("/channels/a", info="cache")).json() == {"occupied": False}
        await api.trigger("cache-a", {"n": 1})
        told = (await api.get("/channels/cache-a", info="cache")).json()
        assert told["cache"]["data"] == '{"n":1}'
        assert 3590 <= told["cache"]["ttl"] <= 3600


async def test_the_users_of_a_presence_channel_are_listed_once_each(serve: Serve) -> None:
    async with (
        serve() as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as tab,
        PusherClient(server.port) as bob,
    ):
        api = ApiClient(server.port)
        assert (await api.get("/channels/presence-a/users")).json() == {"users": []}
        for client, user_id in ((ann, 1), (tab, 1), (bob, "bob")):
            await client.subscribe("presence-a", {"user_id": user_id})
        await server.settled()
        users = (await api.get("/channels/presence-a/users")).json()["users"]
        assert sorted(user["id"] for user in users) == ["1", "bob"]
        assert all(user.keys() == {"id"} for user in users)


@pytest.mark.parametrize("channel", ["a", "private-a", "cache-a"])
async def test_users_of_a_channel_that_is_not_presence_are_400(serve: Serve, channel: str) -> None:
    async with serve() as server:
        (await ApiClient(server.port).get(f"/channels/{channel}/users")).error(400)


@pytest.mark.parametrize("name", ["not%20allowed", "%C3%A4", "x" * 201, "%2F"])
@pytest.mark.parametrize("end", ["", "/users", "/stats"])
async def test_a_name_that_is_no_channels_is_400(serve: Serve, name: str, end: str) -> None:
    async with serve() as server:
        assert "name" in (await ApiClient(server.port).get(f"/channels/{name}{end}")).error(400)


async def test_a_long_name_is_refused_with_limit_and_setting(serve: Serve) -> None:
    async with serve(app(max_channel_name_length=3)) as server:
        text = (await ApiClient(server.port).get("/channels/abcd")).error(400)
        assert "4" in text
        assert "3" in text
        assert "max_channel_name_length" in text


async def test_the_connections_of_an_app_are_counted_on_all_nodes(serve: Serve) -> None:
    async with serve(app(), app(id="other", key="other-key")) as server:
        api = ApiClient(server.port)
        assert (await api.get("/connections")).json() == {"connections": 0}
        async with PusherClient(server.port), PusherClient(server.port), PusherClient(server.port, "other-key"):
            await server.settled()
            answer = await api.get("/connections")
            assert (answer.status, answer.json()) == (200, {"connections": 2})
            (await ApiClient(server.port, secret="wrong").get("/connections")).error(401)
            (await api.post("/connections")).error(405)
