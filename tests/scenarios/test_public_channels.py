"""Public channels: subscribe, publish, unsubscribe."""

from __future__ import annotations

import json

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.nodes import Serve
from tests.servers.server import app

pytestmark = pytest.mark.every_topology

SUCCEEDED = {"event": "pusher_internal:subscription_succeeded", "channel": "news", "data": "{}"}


async def test_a_subscriber_receives_what_is_published(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        assert await client.subscribe("news") == SUCCEEDED
        await ApiClient(server.port).trigger("news", {"a": 1}, name="headline")
        assert await client.receive() == {"event": "headline", "channel": "news", "data": '{"a":1}'}


async def test_every_subscriber_receives_an_event_once(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("news")
        await ApiClient(server.port).trigger("news", "x")
        for client in (ann, bob):
            assert (await client.expect("event"))["data"] == "x"
            await client.expect_nothing()


async def test_data_that_is_a_string_goes_out_as_it_is(serve: Serve) -> None:
    text = '{"not": parsed}  \u20ac \U0001f600 "\\'
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        await ApiClient(server.port).trigger("news", text)
        assert (await client.expect("event"))["data"] == text


@pytest.mark.parametrize("data", [{"a": [1, None, "é"]}, [1, 2], 7, True, None])
async def test_data_other_than_a_string_becomes_a_json_string(serve: Serve, data: object) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        await ApiClient(server.port).trigger("news", data)
        received = (await client.expect("event"))["data"]
        assert isinstance(received, str)
        assert json.loads(received) == data


async def test_an_event_reaches_only_the_subscribers_of_its_channel(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await ann.subscribe("news")
        await bob.subscribe("news2")
        await ApiClient(server.port).trigger("news", "x")
        await ann.expect("event")
        await bob.expect_nothing()


async def test_channels_of_two_apps_have_nothing_in_common(serve: Serve) -> None:
    apps = app(), app(id="other", key="other-key", secret="other-secret")
    async with (
        serve(*apps) as server,
        PusherClient(server.port) as ours,
        PusherClient(server.port, "other-key", "other-secret") as theirs,
    ):
        await ours.subscribe("news")
        await theirs.subscribe("news")
        await ApiClient(server.port).trigger("news", "x")
        await ours.expect("event")
        await server.settled()
        await theirs.expect_nothing()
        assert await ApiClient(server.port, "other", "other-key", "other-secret").channels() == {"news": {}}


async def test_who_unsubscribes_receives_nothing_more_and_gets_no_answer(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client, PusherClient(server.port) as other:
        for subscriber in (client, other):
            await subscriber.subscribe("news")
        await client.unsubscribe("news")
        await ApiClient(server.port).trigger("news", "x")
        await other.expect("event")
        await client.expect_nothing()


async def test_unsubscribing_from_a_channel_never_joined_changes_nothing(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client, PusherClient(server.port) as other:
        await other.subscribe("news")
        await client.unsubscribe("news")
        await client.unsubscribe("news")
        await server.settled()
        assert await ApiClient(server.port).channels() == {"news": {}}


async def test_subscribing_twice_is_answered_twice_and_counted_once(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        assert await client.subscribe("news") == SUCCEEDED
        assert await client.subscribe("news") == SUCCEEDED
        await ApiClient(server.port).trigger("news", "x")
        await client.expect("event")
        await client.expect_nothing()
        await server.settled()
        assert await ApiClient(server.port).channels(info="subscription_count") == {"news": {"subscription_count": 1}}


async def test_a_channel_is_vacated_when_its_last_subscriber_disconnects(serve: Serve) -> None:
    async with serve() as server:
        async with PusherClient(server.port) as client:
            await client.subscribe("news")
            await server.settled()
            assert await ApiClient(server.port).channels() == {"news": {}}
        await server.settled()
        assert await ApiClient(server.port).channels() == {}


async def test_a_client_that_drops_its_socket_is_forgotten(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as stays:
        await stays.subscribe("presence-room", {"user_id": "stays"})
        await server.settled()
        async with PusherClient(server.port) as client:
            await client.subscribe("presence-room", {"user_id": "goes"})
            await stays.expect("pusher_internal:member_added")
            client.drop()
        assert (await stays.expect("pusher_internal:member_removed"))["data"] == '{"user_id":"goes"}'


@pytest.mark.parametrize("name", ["", "a b", "ä", "a/b", "a*b", "x" * 201])
async def test_an_impossible_channel_is_refused_and_the_connection_stays(serve: Serve, name: str) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.ask_for(name)
        await client.expect_rejection(name[:200], "InvalidChannel", 400)
        assert await client.subscribe("news") == SUCCEEDED


async def test_a_name_may_have_every_allowed_character_and_full_length(serve: Serve) -> None:
    name = "aZ09-_=@,.;:#".ljust(200, "x")
    async with serve() as server, PusherClient(server.port) as client:
        assert (await client.subscribe(name))["channel"] == name
        await ApiClient(server.port).trigger(name, "x")
        assert (await client.expect("event"))["channel"] == name


async def test_the_refusal_of_a_long_name_names_limit_and_setting(serve: Serve) -> None:
    async with serve(app(max_channel_name_length=5)) as server, PusherClient(server.port) as client:
        await client.ask_for("abcdef")
        text = await client.expect_rejection("abcdef", "InvalidChannel", 400)
        assert "6" in text
        assert "5" in text
        assert "max_channel_name_length" in text


async def test_a_published_event_spares_the_socket_that_is_excluded(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("news")
        await ApiClient(server.port).trigger("news", "x", socket_id=ann.socket_id)
        await bob.expect("event")
        await ann.expect_nothing()


async def test_excluding_a_socket_that_does_not_exist_spares_nobody(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        await ApiClient(server.port).trigger("news", "x", socket_id="1.1")
        await client.expect("event")


async def test_a_connection_joins_no_more_channels_than_the_limit(serve: Serve) -> None:
    async with serve(channel_limits={"max_channels_per_connection": 2}) as server, PusherClient(server.port) as client:
        await client.subscribe("a")
        await client.subscribe("b")
        await client.ask_for("c")
        text = await client.expect_rejection("c", "LimitReached", 4004)
        assert "limit is 2" in text
        assert "channel_limits.max_channels_per_connection" in text
        await client.unsubscribe("a")
        assert (await client.subscribe("c"))["event"] == "pusher_internal:subscription_succeeded"
