"""Publishing over HTTP: one event, several channels, batches; all of a call goes out or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.nodes import Serve
from tests.servers.server import app

EVENT = {"name": "e", "channel": "a", "data": "x"}


async def test_channels_are_reached_each_once(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        for channel in ("a", "b"):
            await client.subscribe(channel)
        await ApiClient(server.port).post("/events", {"name": "e", "channels": ["b", "a", "b"], "data": "x"})
        assert {(await client.expect("e"))["channel"] for _ in range(2)} == {"b", "a"}
        await server.settled()
        await client.expect_nothing()


async def test_channels_are_reached_in_the_order_given(serve_alone: Serve) -> None:
    # Between nodes there is no order of channels: those of a Redis Cluster are on different servers.
    async with serve_alone() as server, PusherClient(server.port) as client:
        for channel in ("a", "b"):
            await client.subscribe(channel)
        await ApiClient(server.port).post("/events", {"name": "e", "channels": ["b", "a"], "data": "x"})
        assert [(await client.expect("e"))["channel"] for _ in range(2)] == ["b", "a"]


async def test_channels_win_over_channel(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        for channel in ("a", "b"):
            await client.subscribe(channel)
        await ApiClient(server.port).post("/events", {**EVENT, "channels": ["b"]})
        assert (await client.expect("e"))["channel"] == "b"
        await client.expect_nothing()


async def test_fields_that_are_not_known_are_ignored(serve: Serve) -> None:
    async with serve() as server:
        assert (await ApiClient(server.port).post("/events", {**EVENT, "tags": {"a": 1}, "delta": [1]})).status == 200


BAD_EVENTS: list[dict[str, Any]] = [
    {"name": "e", "channel": "a"},
    {"channel": "a", "data": "x"},
    {"name": "", "channel": "a", "data": "x"},
    {"name": "e", "data": "x"},
    {"name": "e", "channels": [], "data": "x"},
    {"name": "e", "channel": "", "data": "x"},
    {"name": "e", "channel": "not allowed", "data": "x"},
    {"name": "e", "channel": "x" * 201, "data": "x"},
    {"name": "x" * 201, "channel": "a", "data": "x"},
    {"name": 7, "channel": "a", "data": "x"},
    {"name": "e", "channel": 7, "data": "x"},
    {"name": "e", "channels": "a", "data": "x"},
    {"name": "e", "channels": ["a", 7], "data": "x"},
    {"name": "e", "channel": "a", "data": "x", "socket_id": 7},
    {"name": "e", "channel": "a", "data": "x", "info": ["user_count"]},
]


@pytest.mark.parametrize("event", BAD_EVENTS)
async def test_an_invalid_event_is_400_alone_and_in_a_batch(serve: Serve, event: dict[str, Any]) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("a")
        (await ApiClient(server.port).post("/events", event)).error(400)
        (await ApiClient(server.port).post("/batch_events", {"batch": [EVENT, event, EVENT]})).error(400)
        await client.expect_nothing()


@pytest.mark.parametrize("bad", ["not allowed", "", "x" * 201])
async def test_nothing_goes_out_when_one_channel_is_invalid(serve: Serve, bad: str) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        for channel in ("a", "cache-a"):
            await client.subscribe(channel)
        await client.expect("pusher:cache_miss")
        call = {"name": "e", "channels": ["a", "cache-a", bad], "data": "x"}
        (await ApiClient(server.port).post("/events", call)).error(400)
        await client.expect_nothing()
        assert (await ApiClient(server.port).get("/channels/cache-a", info="cache")).json()["cache"] is None


async def test_data_is_limited_exactly_alone_and_in_a_batch(serve: Serve) -> None:
    async with serve(app(max_event_payload_in_kb=1)) as server, PusherClient(server.port) as client:
        await client.subscribe("a")
        api = ApiClient(server.port)
        largest, larger = {**EVENT, "data": "ä" * 512}, {**EVENT, "data": "ä" * 512 + "x"}
        await api.post("/events", largest)
        await client.expect("e")
        for answer in (
            await api.post("/events", larger),
            await api.post("/batch_events", {"batch": [EVENT, larger]}),
            await api.post("/events", {**EVENT, "data": {"a": "x" * 1017}}),
        ):
            text = answer.error(413)
            assert "1025" in text
            assert "1024" in text
            assert "max_event_payload_in_kb" in text
        await client.expect_nothing()


async def test_a_name_is_limited_and_the_refusal_names_the_setting(serve: Serve) -> None:
    async with serve(app(max_event_name_length=5)) as server:
        api = ApiClient(server.port)
        assert (await api.post("/events", {**EVENT, "name": "12345"})).status == 200
        text = (await api.post("/events", {**EVENT, "name": "123456"})).error(400)
        assert "6" in text
        assert "5" in text
        assert "max_event_name_length" in text


async def test_any_name_of_allowed_length_is_an_event(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("a")
        for name in ("App\\Events\\Foo", 'with "quotes" ä \u2028', "client-x", "pusher:custom", "x" * 200):
            await ApiClient(server.port).trigger("a", "x", name=name)
            await client.expect(name)


async def test_a_batch_is_limited_and_nothing_of_it_goes_out(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("a")
        text = (await ApiClient(server.port).post("/batch_events", {"batch": [EVENT] * 11})).error(400)
        assert "11" in text
        assert "10" in text
        assert "max_event_batch_size" in text
        await client.expect_nothing()
        assert (await ApiClient(server.port).post("/batch_events", {"batch": [EVENT] * 10})).status == 200
        for _ in range(10):
            await client.expect("e")


async def test_a_batch_with_too_many_channels_is_403_and_unsent(serve: Serve) -> None:
    async with serve(app(max_event_channels_at_once=2)) as server, PusherClient(server.port) as client:
        await client.subscribe("a")
        event = {"name": "e", "channels": ["a", "b", "c"], "data": "x"}
        text = (await ApiClient(server.port).post("/batch_events", {"batch": [EVENT, event]})).error(403)
        assert "max_event_channels_at_once" in text
        await client.expect_nothing()


async def test_an_empty_batch_is_nothing_and_succeeds(serve: Serve) -> None:
    async with serve() as server:
        answer = await ApiClient(server.port).post("/batch_events", {"batch": []})
        assert (answer.status, answer.body) == (200, b"{}")


async def test_a_batch_keeps_order_and_exclusions_of_its_events(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("a")
        batch = [{**EVENT, "data": str(number)} for number in range(5)]
        batch[2]["socket_id"] = ann.socket_id
        await ApiClient(server.port).post("/batch_events", {"batch": batch})
        assert [(await ann.expect("e"))["data"] for _ in range(4)] == ["0", "1", "3", "4"]
        assert [(await bob.expect("e"))["data"] for _ in range(5)] == ["0", "1", "2", "3", "4"]


async def test_info_tells_of_every_channel_that_was_reached(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as tab:
        for client in (ann, tab):
            await client.subscribe("presence-a", {"user_id": "ann"})
        await ann.subscribe("b")
        await server.settled()
        channels = ["presence-a", "b", "cache-c"]
        answer = await ApiClient(server.port).post(
            "/events",
            {"name": "e", "channels": channels, "data": "x", "info": "user_count, subscription_count,unknown"},
        )
        assert answer.json() == {
            "channels": {
                "presence-a": {"user_count": 1, "subscription_count": 2},
                "b": {"subscription_count": 1},
                "cache-c": {"subscription_count": 0},
            }
        }


async def test_info_of_a_channel_without_it_is_empty(serve: Serve) -> None:
    async with serve() as server:
        answer = await ApiClient(server.port).post("/events", {**EVENT, "info": "cache"})
        assert answer.json() == {"channels": {"a": {}}}


async def test_info_in_a_batch_is_told_by_position(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("a")
        await server.settled()
        batch = [{**EVENT, "info": "subscription_count,occupied"}, EVENT, {**EVENT, "channel": "b", "info": "occupied"}]
        answer = await ApiClient(server.port).post("/batch_events", {"batch": batch})
        assert answer.json() == {"batch": [{"subscription_count": 1, "occupied": True}, {}, {"occupied": False}]}


async def test_parameters_may_be_split_between_body_and_query(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("a")
        await server.settled()
        body = b'{"data":{"from":"body"}}'
        params = {"name": "e", "channel": "a", "socket_id": ann.socket_id, "info": "subscription_count"}
        answer = await ApiClient(server.port).request("POST", "/apps/1/events", body, params)
        assert answer.json() == {"channels": {"a": {"subscription_count": 2}}}
        assert (await bob.expect("e"))["data"] == '{"from":"body"}'
        await ann.expect_nothing()


async def test_short_of_memory_events_are_503_and_questions_are_answered(serve: Serve) -> None:
    async with serve(http_api={"accept_traffic": {"memory_threshold": 0.000001}}) as server:
        api = ApiClient(server.port)
        answer = await api.post("/events", EVENT)
        assert "memory_threshold" in answer.error(503)
        assert answer.headers["retry-after"] == "1"
        (await api.post("/batch_events", {"batch": [EVENT]})).error(503)
        assert (await api.get("/channels")).status == 200


async def test_channels_may_be_of_any_kind(serve: Serve) -> None:
    channels = ["news", "private-a", "presence-a", "private-encrypted-a", "cache-a", "#server-to-user-a", "a:b#c"]
    async with serve() as server:
        answer = await ApiClient(server.port).post("/events", {"name": "e", "channels": channels, "data": "x"})
        assert answer.status == 200


@pytest.mark.parametrize(
    ("data", "sent"),
    [(r'"half \ud83d"', "half \ufffd"), (r'{"half":"\ud83d"}', '{"half":"\ufffd"}'), (r'"\\ud83d"', r"\ud83d")],
)
async def test_half_an_emoji_is_published_as_the_replacement_character(serve: Serve, data: str, sent: str) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("cache-a")
        await client.expect("pusher:cache_miss")
        body = f'{{"name":"e","channel":"cache-a","data":{data}}}'.encode()
        assert (await ApiClient(server.port).post("/events", body)).status == 200
        assert (await client.receive())["data"] == sent
