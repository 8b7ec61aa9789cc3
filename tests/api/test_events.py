from __future__ import annotations

import json
from typing import Any

import pytest

from sockudo.api.messages import EMPTY_OBJECT
from sockudo.eventual import Future
from sockudo.node.memory import Memory
from tests.clients.api import Api, error_of, header, json_of
from tests.fakes.eventual import AskedCache
from tests.fakes.node import Client, make_app


@pytest.fixture
def api() -> Api:
    return Api()


def event(channel: str = "news", data: object = "data", **more: object) -> dict[str, object]:
    return {"name": "event", "channel": channel, "data": data} | more


def subscriber(api: Api, *channels: str, user_id: str = "1") -> Client:
    client = api.world.connect()
    for channel in channels:
        client.subscribe(channel, user_id if channel.startswith("presence-") else None)
    client.take()
    return client


def test_an_event_is_answered_with_an_empty_object_and_sent(api: Api) -> None:
    client = subscriber(api, "news")
    response = api.post("/events", event(data={"a": 1}))
    assert response is EMPTY_OBJECT
    assert client.take() == [{"event": "event", "channel": "news", "data": '{"a":1}'}]


def test_the_answer_does_not_wait_for_sockets(api: Api) -> None:
    client = subscriber(api, "news")
    assert api.post("/events", event()).status == 200
    assert client.wire.writes == []


async def test_the_answer_waits_until_the_shared_cache_has_the_events() -> None:
    cache = AskedCache()
    api = Api(cache=cache)
    client = subscriber(api, "private-a")
    bodies: dict[str, tuple[object, dict[str, str], int]] = {
        "/events": ({"name": "e", "data": "d", "channels": ["private-a", "cache-a", "private-cache-b"]}, {}, 2),
        "/batch_events": ({"batch": [event("cache-a"), event("private-a"), event("cache-b")]}, {}, 2),
        "/channels/cache-a/events": ({"any": "thing"}, {"name": "e"}, 1),
    }
    for path, (body, params, writes) in bodies.items():
        answered = api.post_later(path, body, **params)
        assert isinstance(answered, Future)
        assert len(cache.writes.open) == writes
        for _ in range(writes):
            assert not answered.done()
            await cache.writes.answer(None)
        assert answered.result().status in (200, 202)
    # Clients do not wait.
    assert len(client.take()) == 2


def test_the_content_type_does_not_matter(api: Api) -> None:
    assert api.post("/events", json.dumps(event()).encode()) is EMPTY_OBJECT


def test_asked_for_attributes_come_for_each_channel_published_to(api: Api) -> None:
    subscriber(api, "presence-x", "news", user_id="1")
    subscriber(api, "presence-x", user_id="1")
    body = {"name": "e", "data": "d", "channels": ["presence-x", "news", "empty"]}
    assert json_of(api.post("/events", body | {"info": "user_count,subscription_count"})) == {
        "channels": {
            "presence-x": {"user_count": 1, "subscription_count": 2},
            "news": {"subscription_count": 1},
            "empty": {"subscription_count": 0},
        }
    }
    assert json_of(api.post("/events", body | {"info": "user_count"})) == {
        "channels": {"presence-x": {"user_count": 1}, "news": {}, "empty": {}}
    }


def test_attributes_that_nobody_knows_are_as_good_as_none(api: Api) -> None:
    assert api.post("/events", event(info="unknown")) is EMPTY_OBJECT


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ({"name": "e", "data": "d"}, 400),
        ({"channel": "c", "data": "d"}, 400),
        ({"name": "e", "channel": "c"}, 400),
        (event("a b"), 400),
        (event(name="x" * 51), 400),
        (event(data="x" * 201), 413),
        ({"name": "e", "data": "d", "channels": ["news", *"abcdefghij"]}, 403),
        ({"name": "e", "data": "d", "channels": ["news", "a b"]}, 400),
    ],
)
def test_a_bad_event_is_refused_whole(api: Api, body: object, status: int) -> None:
    client = subscriber(api, "news")
    assert error_of(api.post("/events", body))[0] == status
    assert client.take() == []


def test_parameters_that_the_body_lacks_may_be_in_the_query(api: Api) -> None:
    client = subscriber(api, "news")
    assert api.post("/events", b"", name="e", data="d", channel="news") is EMPTY_OBJECT
    assert client.take() == [{"event": "e", "channel": "news", "data": "d"}]


def test_a_batch_is_published_in_order(api: Api) -> None:
    client = subscriber(api, "news")
    batch = [event(data=str(number)) for number in range(5)]
    assert api.post("/batch_events", {"batch": batch}) is EMPTY_OBJECT
    assert [frame["data"] for frame in client.take()] == ["0", "1", "2", "3", "4"]


def test_an_empty_batch_is_fine(api: Api) -> None:
    assert api.post("/batch_events", {"batch": []}) is EMPTY_OBJECT


def test_attributes_of_a_batch_come_by_index(api: Api) -> None:
    subscriber(api, "news", "presence-x")
    batch = [
        event(),
        event(info="subscription_count"),
        event("presence-x", info="user_count"),
        {"name": "e", "data": "d", "channels": ["presence-x", "news"], "info": "user_count"},
    ]
    assert json_of(api.post("/batch_events", {"batch": batch})) == {
        "batch": [{}, {"subscription_count": 1}, {"user_count": 1}, {"user_count": 1}]
    }


@pytest.mark.parametrize(
    ("bad", "status"),
    [(event("a b"), 400), (event(data="x" * 201), 413), ({"name": "e"}, 400), ({"name": 1}, 400)],
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_bad_event_keeps_the_whole_batch_back(api: Api, bad: dict[str, Any], status: int, position: int) -> None:
    client = subscriber(api, "news")
    batch = [event(), event()]
    batch.insert(position, bad)
    assert error_of(api.post("/batch_events", {"batch": batch}))[0] == status
    assert client.take() == []


def test_too_long_a_batch_is_refused(api: Api) -> None:
    assert error_of(api.post("/batch_events", {"batch": [event()] * 6}))[0] == 400


def test_the_deprecated_call_takes_its_body_as_data(api: Api) -> None:
    client = subscriber(api, "private-x")
    response = api.post("/channels/private-x/events", '{"a": "é"}'.encode(), name="e")
    assert (response.status, response.body) == (202, b"")
    assert client.take() == [{"event": "e", "channel": "private-x", "data": '{"a": "é"}'}]
    api.post("/channels/private-x/events", b"x", name="e", socket_id=client.socket_id)
    assert client.take() == []


def test_the_deprecated_call_refuses_binary_data_and_nameless_events(api: Api) -> None:
    assert error_of(api.post("/channels/news/events", b"\xff", name="e"))[0] == 400
    assert error_of(api.post("/channels/news/events", b"x"))[0] == 400
    assert error_of(api.post("/channels/ne%20ws/events", b"x", name="e"))[0] == 400


def test_a_node_short_of_memory_publishes_nothing(api: Api) -> None:
    client = subscriber(api, "news")
    api.world.clock.advance(1)
    api.world.memory = Memory(100, 95)
    for path, body in (("/events", event()), ("/batch_events", {"batch": [event()]}), ("/channels/news/events", b"x")):
        response = api.post(path, body, **({"name": "e"} if path.startswith("/channels") else {}))
        assert error_of(response) == (503, "Over capacity (http_api.accept_traffic.memory_threshold)")
        assert header(response, "Retry-After") == "1"
    assert client.take() == []
    assert api.get("/channels").status == 200


def test_events_over_the_quota_of_an_app_are_429() -> None:
    api = Api(make_app(max_backend_events_per_second=3))
    client = subscriber(api, "news")
    assert api.post("/batch_events", {"batch": [event()] * 2}).status == 200
    response = api.post("/batch_events", {"batch": [event()] * 2})
    status, text = error_of(response)
    assert (status, header(response, "Retry-After")) == (429, "1")
    assert "3 a second (max_backend_events_per_second of the app)" in text
    assert api.post("/events", event()).status == 200
    assert error_of(api.post("/events", event()))[0] == 429
    assert len(client.take()) == 3
    api.world.clock.advance(1)
    assert api.post("/events", event()).status == 200


def test_events_refused_for_another_reason_cost_no_quota() -> None:
    api = Api(make_app(max_backend_events_per_second=1))
    assert error_of(api.post("/events", event("a b")))[0] == 400
    assert api.post("/events", event()).status == 200
