"""The requests and answers that docs/http-api.md and docs/webhooks.md show are those of a running server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import pytest

from sockudo.config.model import Settings
from tests.clients.client import ApiClient, PusherClient
from tests.servers.server import app, running_server
from tests.servers.webhook_receiver import webhook_receiver
from tests.support.pages import code_blocks, section, the_block
from tests.support.source import ROOT

API: Final = ROOT / "docs" / "http-api.md"
WEBHOOKS: Final = ROOT / "docs" / "webhooks.md"


def shown(heading: str) -> list[Any]:
    """Return the JSON below a heading of the HTTP API, in order."""
    text = section(API, heading)
    return [json.loads(block.text) for block in code_blocks(API, "json") if block.text in text]


async def test_a_publish_is_answered_as_shown() -> None:
    event, with_info = shown("### Publish an event")
    async with running_server() as server, PusherClient(server.port) as client:
        api = ApiClient(server.port)
        await client.subscribe("orders")
        await client.subscribe("presence-room", {"user_id": "7"})
        assert (await api.post("/events", event)).json() == {}
        assert [(await client.expect("created"))["data"] for _ in range(2)] == [event["data"]] * 2
        answer = await api.post("/events", event | {"info": "subscription_count,user_count"})
        assert answer.json() == with_info


async def test_a_batch_is_answered_as_shown() -> None:
    batch, with_info = shown("### Publish a batch")
    async with running_server() as server, PusherClient(server.port) as client:
        await client.subscribe("orders")
        assert (await ApiClient(server.port).post("/batch_events", batch)).json() == with_info
        del batch["batch"][0]["info"]
        assert (await ApiClient(server.port).post("/batch_events", batch)).json() == {}


async def test_questions_are_answered_as_shown() -> None:
    (listed,), (one, cached), (users,), (connections,) = map(
        shown, ("### List channels", "### Ask about a channel", "### List users", "### Count connections")
    )
    async with running_server() as server, PusherClient(server.port) as client:
        api = ApiClient(server.port)
        await client.subscribe("orders")
        await client.subscribe("presence-room", {"user_id": 7})
        await client.subscribe("cache-price")
        await api.trigger("cache-price", "9.90")
        assert await api.channels(filter_by_prefix="presence-", info="user_count") == listed["channels"]
        asked = await api.get("/channels/presence-room", info="user_count,subscription_count")
        assert asked.json() == one
        assert (await api.get("/channels/cache-price", info="cache")).json() == cached
        assert (await api.get("/channels/presence-room/users")).json() == users
        assert (await api.get("/connections")).json() == dict.fromkeys(connections, 1)
        assert (await api.get("/channels/nobody")).json() == {"occupied": False}


async def test_too_much_data_is_refused_as_shown() -> None:
    (refusal,) = shown("## Errors")
    async with running_server() as server:
        answer = await ApiClient(server.port).post(
            "/events", {"name": "event", "channel": "orders", "data": "x" * 102_401}
        )
        assert (answer.status, answer.json()) == (413, refusal)


@pytest.mark.parametrize("driver", ["memory", "none"])
async def test_a_webhook_is_posted_as_shown(driver: str) -> None:
    head, _, body = the_block(WEBHOOKS, "text", "POST").partition("\n\n")
    first, *fields = head.splitlines()
    async with webhook_receiver() as receiver:
        _, path, _ = first.split()
        hook = {"url": receiver.url + path, "event_types": ["channel_occupied"]}
        serving = running_server(app(webhooks=[hook]), queue={"driver": driver})
        async with serving as server, PusherClient(server.port) as client:
            await client.subscribe("news")
            await receiver.until(lambda: bool(receiver.requests))
    (request,) = receiver.requests
    request.check()
    assert request.path == path
    for name, _, value in (field.partition(": ") for field in fields):
        assert value.endswith("...") or request.headers[name.lower()] == value
    assert _without_times(json.loads(request.body)) == _without_times(json.loads(body))


def _without_times(document: Mapping[str, Any]) -> Any:
    return json.loads(re.sub(r'"time_ms": *\d+', '"time_ms": 0', json.dumps(document)))


async def test_the_webhook_shown_filters_and_adds_its_header() -> None:
    document = json.loads(the_block(WEBHOOKS, "json", "channel_prefix"))
    (configured,) = document["app_manager"]["array"]["apps"]
    async with webhook_receiver() as receiver:
        configured["webhooks"][0]["url"] = receiver.url
        async with running_server(configured) as server, PusherClient(server.port) as client:
            await client.subscribe("orders")
            await client.subscribe("presence-room", {"user_id": "7"})
            await receiver.until(lambda: len(receiver.events) == 2)
    assert receiver.names()[:2] == ["channel_occupied presence-room", "member_added presence-room 7"]
    assert {one.headers["x-environment"] for one in receiver.requests} == {"production"}


def test_the_function_shown_is_a_webhook() -> None:
    function = json.loads(the_block(WEBHOOKS, "json", "function_name"))
    (configured,) = Settings.model_validate({"app_manager": {"array": {"apps": [app(webhooks=[function])]}}}).apps
    (webhook,) = configured.webhooks
    assert webhook.lambda_ is not None
    assert webhook.lambda_.function_name == "hooks"
