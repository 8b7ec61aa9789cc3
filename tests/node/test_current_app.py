"""A connection whose app is in a database: what changes there reaches it."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.pusher.channels import kind_of
from tests.fakes.eventual import AskedAppManager
from tests.fakes.node import Client, World, make_app


def world_with_store(**changes: Any) -> tuple[World, AskedAppManager, Client]:
    """Return a node whose apps are behind a store, and one client of it."""
    app = make_app(**changes)
    manager = AskedAppManager([app])
    world = World(app, manager=manager)
    return world, manager, world.connect()


def test_an_app_in_memory_is_not_waited_for() -> None:
    world = World()
    assert [frame["event"] for frame in world.connect().subscribe("news")] == ["pusher_internal:subscription_succeeded"]


async def test_a_subscription_waits_for_the_app_and_its_newest_state() -> None:
    _, manager, client = world_with_store(max_presence_members=0)
    client.ask_for("presence-x", "ann")
    assert client.take() == []
    newer = make_app(max_presence_members=5)
    manager.learn(newer)
    await manager.questions.answer(newer)
    assert client.events() == ["pusher_internal:subscription_succeeded"]
    assert client.connection.app is newer


async def test_what_comes_behind_waits_its_turn() -> None:
    _, manager, client = world_with_store()
    client.ask_for("news")
    client.say("pusher:ping")
    client.ask_for("other")
    assert client.take() == []
    await manager.questions.answer(make_app())
    assert client.events() == ["pusher_internal:subscription_succeeded", "pusher:pong"]
    await manager.questions.answer(make_app())
    assert client.events() == ["pusher_internal:subscription_succeeded"]


async def test_the_known_app_serves_while_the_store_is_gone() -> None:
    _, manager, client = world_with_store()
    client.ask_for("news")
    await manager.questions.fail()
    assert client.events() == ["pusher_internal:subscription_succeeded"]


@pytest.mark.parametrize(
    ("newer", "text", "status"),
    [
        pytest.param([make_app(enabled=False)], "Application disabled", 4003, id="disabled"),
        pytest.param([], "Application does not exist any more", 4001, id="deleted"),
    ],
)
async def test_an_app_that_is_gone_refuses_subscriptions_and_sign_ins(newer: list[Any], text: str, status: int) -> None:
    _, manager, client = world_with_store()
    manager.learn(*newer)
    client.ask_for("news")
    await manager.questions.answer(newer[0] if newer else None)
    refused, error = client.take()
    assert refused["event"] == "pusher:subscription_error"
    assert refused["data"] == {"type": "AppError", "error": text, "status": status}
    assert error["data"] == {"code": None, "message": text}
    client.ask_to_be("ann")
    await manager.questions.answer(newer[0] if newer else None)
    assert [frame["data"]["message"] for frame in client.take()] == [text]
    assert client.connection.is_open


async def test_a_client_that_left_meanwhile_is_on_nothing() -> None:
    world, manager, client = world_with_store()
    client.ask_for("news")
    client.leave()
    await manager.questions.answer(make_app())
    assert world.hub.channel(world.app.id, "news") is None


def test_client_events_go_by_the_app_as_memory_has_it() -> None:
    world = World(make_app(enable_client_messages=True), manager=(manager := AskedAppManager()))
    client, other = world.connect(), world.connect()
    for one in (client, other):
        one.connection.subscriptions = {}
        world.hub.subscribe(one.connection, "private-x", kind_of("private-x"))
    client.say("client-a", {}, "private-x")
    assert other.events() == ["client-a"]
    manager.learn(make_app(enable_client_messages=False))
    client.say("client-a", {}, "private-x")
    assert other.events() == []
    assert "Client events are not enabled" in client.take()[0]["data"]["message"]
