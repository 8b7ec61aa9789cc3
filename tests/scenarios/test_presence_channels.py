"""Presence channels: members are users, not sockets; the roster; who is told of whom."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.nodes import Serve
from tests.servers.server import app

pytestmark = pytest.mark.every_topology

ROOM = "presence-room"


def roster(success: dict[str, Any]) -> dict[str, Any]:
    """Return the members in the answer to a subscription."""
    assert success["event"] == "pusher_internal:subscription_succeeded", success
    assert isinstance(success["data"], str)
    data = json.loads(success["data"])
    assert data.keys() == {"presence"}
    presence: dict[str, Any] = data["presence"]
    assert presence.keys() == {"count", "ids", "hash"}
    assert presence["count"] == len(presence["ids"]) == len(presence["hash"])
    assert set(presence["ids"]) == presence["hash"].keys()
    return presence


async def added(client: PusherClient) -> Any:
    """Return the member that a client is told of now."""
    frame = await client.expect("pusher_internal:member_added")
    assert isinstance(frame["data"], str)
    return json.loads(frame["data"])


async def removed(client: PusherClient) -> Any:
    """Return the member that a client is told of now."""
    frame = await client.expect("pusher_internal:member_removed")
    assert isinstance(frame["data"], str)
    return json.loads(frame["data"])


async def test_a_newcomer_gets_the_roster_with_itself_in_it(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        assert roster(await ann.subscribe(ROOM, {"user_id": "ann", "user_info": {"n": 1}}))["ids"] == ["ann"]
        await server.settled()
        assert roster(await bob.subscribe(ROOM, {"user_id": "bob"}))["hash"] == {"ann": {"n": 1}, "bob": {}}


async def test_a_newcomer_is_told_to_others_and_not_to_itself(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await ann.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        await bob.subscribe(ROOM, {"user_id": "bob", "user_info": {"name": "Bob"}})
        assert await added(ann) == {"user_id": "bob", "user_info": {"name": "Bob"}}
        for client in (ann, bob):
            await client.expect_nothing()


async def test_a_user_in_two_tabs_is_one_member(serve: Serve) -> None:
    async with (
        serve() as server,
        PusherClient(server.port) as watcher,
        PusherClient(server.port) as tab,
        PusherClient(server.port) as other_tab,
    ):
        await watcher.subscribe(ROOM, {"user_id": "watcher"})
        await server.settled()
        await tab.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        assert roster(await other_tab.subscribe(ROOM, {"user_id": "ann"}))["count"] == 2
        assert (await added(watcher))["user_id"] == "ann"
        await watcher.expect_nothing()
        await tab.expect_nothing()
        await server.settled()
        await tab.unsubscribe(ROOM)
        await server.settled()
        await watcher.expect_nothing()
        await other_tab.close()
        assert await removed(watcher) == {"user_id": "ann"}
        await watcher.expect_nothing()


async def test_an_event_reaches_every_tab_of_a_member(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as tab, PusherClient(server.port) as other_tab:
        for client in (tab, other_tab):
            await client.subscribe(ROOM, {"user_id": "ann"})
        await ApiClient(server.port).trigger(ROOM, "x")
        for client in (tab, other_tab):
            assert (await client.expect("event"))["data"] == "x"


@pytest.mark.parametrize("way", ["unsubscribe", "close", "drop"])
async def test_the_others_are_told_once_of_who_is_gone(serve: Serve, way: str) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await ann.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        await bob.subscribe(ROOM, {"user_id": "bob"})
        await added(ann)
        match way:
            case "unsubscribe":
                await bob.unsubscribe(ROOM)
                await bob.close()
            case "close":
                await bob.close()
            case _:
                bob.drop()
        assert await removed(ann) == {"user_id": "bob"}
        await server.settled()
        await ann.expect_nothing()
        assert (await ApiClient(server.port).get(f"/channels/{ROOM}/users")).json() == {"users": [{"id": "ann"}]}


async def test_a_user_that_comes_back_is_told_of_again(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await ann.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        for _ in range(3):
            await bob.subscribe(ROOM, {"user_id": "bob"})
            await bob.unsubscribe(ROOM)
            await added(ann)
            await removed(ann)
        await ann.expect_nothing()


async def test_unsubscribing_twice_removes_a_member_once(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await ann.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        await bob.subscribe(ROOM, {"user_id": "bob"})
        await bob.unsubscribe(ROOM)
        await bob.unsubscribe(ROOM)
        await added(ann)
        await removed(ann)
        await server.settled()
        await ann.expect_nothing()


async def test_a_socket_may_be_another_user_on_another_channel(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as watcher, PusherClient(server.port) as client:
        for channel in ("presence-a", "presence-b"):
            await watcher.subscribe(channel, {"user_id": "watcher"})
        await server.settled()
        await client.subscribe("presence-a", {"user_id": "ann"})
        await client.subscribe("presence-b", {"user_id": "bob"})
        await client.unsubscribe("presence-a")
        for _ in range(2):
            await watcher.expect("pusher_internal:member_added")
        assert await removed(watcher) == {"user_id": "ann"}
        await client.close()
        assert await removed(watcher) == {"user_id": "bob"}


async def test_subscribing_again_repeats_the_roster_and_tells_nobody(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await ann.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        for _ in range(2):
            assert roster(await bob.subscribe(ROOM, {"user_id": "bob"}))["count"] == 2
        await added(ann)
        await server.settled()
        await ann.expect_nothing()


@pytest.mark.parametrize(("given", "taken"), [("10", "10"), ("0", "0"), ("-3", "-3"), ("12345678901234567890", None)])
async def test_a_numeric_user_id_is_taken_as_its_decimal_text(serve: Serve, given: str, taken: str | None) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as client:
        await ann.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        await client.ask_for(ROOM, f'{{"user_id":{given},"user_info":{{"name":"Mr. Channels"}}}}')
        members = roster(await client.receive())
        assert members["ids"] == ["ann", taken or given]
        assert (await added(ann))["user_id"] == (taken or given)
        await server.settled()
        users = (await ApiClient(server.port).get(f"/channels/{ROOM}/users")).json()["users"]
        assert {"id": taken or given} in users


async def test_a_number_and_its_text_are_the_same_user(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as tab, PusherClient(server.port) as other_tab:
        await tab.subscribe(ROOM, {"user_id": 7})
        await server.settled()
        assert roster(await other_tab.subscribe(ROOM, {"user_id": "7"}))["count"] == 1
        await server.settled()
        await tab.expect_nothing()


@pytest.mark.parametrize(
    "data",
    [
        None,
        "",
        "not json",
        "[]",
        '"ann"',
        "{}",
        '{"user_id":null}',
        '{"user_id":""}',
        '{"user_id":[1]}',
        '{"user_id":{"a":1}}',
        '{"user_id":true}',
        '{"user_id":"' + "x" * 201 + '"}',
    ],
)
async def test_channel_data_without_a_user_is_refused_without_a_close(serve: Serve, data: str | None) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        # An empty text counts as none, and is then no part of what is signed.
        await client.ask_for(ROOM, data, auth=client.auth(ROOM, data or None))
        await client.expect_rejection(ROOM, "InvalidMessage", 400)
        await client.expect_nothing()
        await server.settled()
        assert await ApiClient(server.port).channels() == {}


async def test_a_bad_signature_is_found_before_members_are_examined(serve: Serve) -> None:
    async with (
        serve(app(max_presence_members_per_channel=1)) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
    ):
        await ann.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        await bob.ask_for(ROOM, '{"user_id":"bob"}', auth="app-key:0")
        await bob.expect_rejection(ROOM, "AuthError", 401)


async def test_a_signed_in_client_may_leave_out_channel_data(serve: Serve) -> None:
    async with (
        serve(app(enable_user_authentication=True)) as server,
        PusherClient(server.port) as watcher,
        PusherClient(server.port) as ann,
    ):
        await watcher.subscribe(ROOM, {"user_id": "watcher"})
        await server.settled()
        await ann.sign_in("ann", user_info={"name": "Ann"})
        await ann.expect("pusher:signin_success")
        assert roster(await ann.subscribe(ROOM))["hash"] == {"watcher": {}, "ann": {"name": "Ann"}}
        assert await added(watcher) == {"user_id": "ann", "user_info": {"name": "Ann"}}


async def test_a_full_channel_refuses_members_and_keeps_their_connections(serve: Serve) -> None:
    async with (
        serve(app(max_presence_members_per_channel=1)) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
    ):
        await ann.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        await bob.ask_for(ROOM, {"user_id": "bob"})
        text = await bob.expect_rejection(ROOM, "LimitReached", 4004)
        assert "1 members" in text
        assert "max_presence_members_per_channel" in text
        await ann.expect_nothing()
        await ann.unsubscribe(ROOM)
        await server.settled()
        assert roster(await bob.subscribe(ROOM, {"user_id": "bob"}))["ids"] == ["bob"]


async def test_a_full_channel_takes_another_tab_of_a_member(serve: Serve) -> None:
    async with (
        serve(app(max_presence_members_per_channel=1)) as server,
        PusherClient(server.port) as tab,
        PusherClient(server.port) as other_tab,
    ):
        await tab.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        assert roster(await other_tab.subscribe(ROOM, {"user_id": "ann"}))["count"] == 1


async def test_the_global_member_limit_holds_for_apps_without_their_own(serve: Serve) -> None:
    async with (
        serve(presence={"max_members_per_channel": 1}) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
    ):
        await ann.subscribe(ROOM, {"user_id": "ann"})
        await server.settled()
        await bob.ask_for(ROOM, {"user_id": "bob"})
        assert "presence.max_members_per_channel" in await bob.expect_rejection(ROOM, "LimitReached", 4004)


async def test_user_info_is_limited_to_the_byte(serve: Serve) -> None:
    async with serve(app(max_presence_member_size_in_kb=1)) as server, PusherClient(server.port) as client:
        info = '"' + "x" * 1022 + '"'
        await client.ask_for(ROOM, f'{{"user_id":"ann","user_info":{info}}}')
        assert roster(await client.receive())["count"] == 1
        await client.unsubscribe(ROOM)
        await client.ask_for(ROOM, f'{{"user_id":"ann","user_info":{info[:-1]}x"}}')
        text = await client.expect_rejection(ROOM, "InvalidMessage", 400)
        assert "1025" in text
        assert "1024" in text
        assert "max_presence_member_size_in_kb" in text


async def test_user_info_comes_out_as_it_went_in(serve: Serve) -> None:
    info = {"name": 'Ann "A" \\ Ä \u2028 \U0001f600', "list": [1, 2.5, None, True], "": {}}
    async with serve() as server, PusherClient(server.port) as watcher, PusherClient(server.port) as ann:
        await watcher.subscribe(ROOM, {"user_id": "watcher"})
        await server.settled()
        assert roster(await ann.subscribe(ROOM, {"user_id": 'a"n\\n', "user_info": info}))["hash"]['a"n\\n'] == info
        assert await added(watcher) == {"user_id": 'a"n\\n', "user_info": info}


async def test_a_presence_cache_channel_has_both_members_and_a_cache(serve: Serve) -> None:
    channel = "presence-cache-room"
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        assert roster(await ann.subscribe(channel, {"user_id": "ann"}))["ids"] == ["ann"]
        await ann.expect("pusher:cache_miss")
        await ApiClient(server.port).trigger(channel, "x")
        await ann.expect("event")
        await server.settled()
        assert roster(await bob.subscribe(channel, {"user_id": "bob"}))["ids"] == ["ann", "bob"]
        assert await bob.receive() == {"event": "event", "channel": channel, "data": "x"}
        assert (await added(ann))["user_id"] == "bob"
