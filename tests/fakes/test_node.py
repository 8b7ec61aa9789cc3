from __future__ import annotations

from tests.fakes.node import World, data_of


def test_a_client_is_answered_as_a_socket_would_be() -> None:
    client = World().connect()
    (frame,) = client.subscribe("presence-x", "1", {"name": "A"})
    assert data_of(frame) == {"presence": {"count": 1, "ids": ["1"], "hash": {"1": {"name": "A"}}}}
    assert client.send("pusher:ping") == [{"event": "pusher:pong", "data": "{}"}]


def test_what_is_published_arrives() -> None:
    world = World()
    client = world.connect()
    client.subscribe("news")
    world.publish("news", "hello")
    assert client.take() == [{"event": "event", "channel": "news", "data": "hello"}]
