"""Public channels: subscribe, publish, unsubscribe."""

from __future__ import annotations

from tests.support.client import ApiClient, PusherClient
from tests.support.server import running_server


async def test_a_subscriber_receives_what_is_published() -> None:
    async with running_server() as server, PusherClient(server.port) as client:
        assert await client.subscribe("news") == {
            "event": "pusher_internal:subscription_succeeded",
            "channel": "news",
            "data": "{}",
        }
        await ApiClient(server.port).trigger("news", {"a": 1}, name="headline")
        assert await client.receive() == {"event": "headline", "channel": "news", "data": '{"a":1}'}


async def test_a_presence_channel_tells_members_of_each_other() -> None:
    async with running_server() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await ann.subscribe("presence-room", {"user_id": "ann", "user_info": {"n": 1}})
        success = await bob.subscribe("presence-room", {"user_id": "bob"})
        assert success["data"] == ('{"presence":{"count":2,"ids":["ann","bob"],"hash":{"ann":{"n": 1},"bob":{}}}}')
        assert (await ann.expect("pusher_internal:member_added"))["data"] == '{"user_id":"bob","user_info":{}}'
