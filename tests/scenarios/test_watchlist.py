"""Watchlists: who is online, and who comes and goes."""

from __future__ import annotations

import json

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.nodes import Serve
from tests.servers.server import app

pytestmark = pytest.mark.every_topology

WATCHING = app(enable_user_authentication=True, enable_watchlist_events=True)


async def events(client: PusherClient) -> dict[str, list[str]]:
    """Return the changes that a client is told of now, in the frame that pusher-js reads."""
    frame = await client.expect("pusher_internal:watchlist_events")
    assert frame.keys() == {"event", "data"}
    assert isinstance(frame["data"], str)
    data = json.loads(frame["data"])
    assert data.keys() == {"events"}
    assert all(event.keys() == {"name", "user_ids"} for event in data["events"])
    return {event["name"]: event["user_ids"] for event in data["events"]}


async def signed_in(client: PusherClient, user_id: str) -> None:
    await client.sign_in(user_id)
    await client.expect("pusher:signin_success")


async def test_a_watcher_is_told_at_sign_in_who_is_online(serve: Serve) -> None:
    async with serve(WATCHING) as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await signed_in(bob, "bob")
        await server.settled()
        await ann.sign_in("ann", watchlist=["bob", "cid", "bob"])
        assert await events(ann) == {"online": ["bob"], "offline": ["cid"]}
        await ann.expect("pusher:signin_success")
        await ann.expect_nothing()


async def test_a_watcher_is_told_of_first_and_last_connections(serve: Serve) -> None:
    async with (
        serve(WATCHING) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as tab,
        PusherClient(server.port) as other_tab,
    ):
        await ann.sign_in("ann", watchlist=["bob"])
        assert await events(ann) == {"offline": ["bob"]}
        await ann.expect("pusher:signin_success")
        await ann.expect_nothing()
        for client in (tab, other_tab):
            await signed_in(client, "bob")
        assert await events(ann) == {"online": ["bob"]}
        await server.settled()
        await tab.close()
        await server.settled()
        await ann.expect_nothing()
        await other_tab.close()
        assert await events(ann) == {"offline": ["bob"]}
        await ann.expect_nothing()


async def test_every_tab_of_a_watcher_is_told(serve: Serve) -> None:
    async with (
        serve(WATCHING) as server,
        PusherClient(server.port) as tab,
        PusherClient(server.port) as other_tab,
        PusherClient(server.port) as bob,
    ):
        for client in (tab, other_tab):
            await client.sign_in("ann", watchlist=["bob"])
            await events(client)
            await client.expect("pusher:signin_success")
        await signed_in(bob, "bob")
        for client in (tab, other_tab):
            assert await events(client) == {"online": ["bob"]}


async def test_a_user_who_watches_nobody_is_told_nothing(serve: Serve) -> None:
    async with serve(WATCHING) as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client, watchlist in ((ann, None), (bob, [])):
            await client.sign_in("ann", watchlist=watchlist)
            await client.expect("pusher:signin_success")
            await client.expect_nothing()


async def test_a_second_sign_in_replaces_the_list(serve: Serve) -> None:
    async with (
        serve(WATCHING) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
        PusherClient(server.port) as cid,
    ):
        for watched in ("bob", "cid"):
            await ann.sign_in("ann", watchlist=[watched])
            assert await events(ann) == {"offline": [watched]}
            await ann.expect("pusher:signin_success")
        await signed_in(bob, "bob")
        await server.settled()
        await ann.expect_nothing()
        await signed_in(cid, "cid")
        assert await events(ann) == {"online": ["cid"]}


async def test_who_watches_himself_is_told_once_that_he_is_online(serve: Serve) -> None:
    async with serve(WATCHING) as server, PusherClient(server.port) as ann:
        await ann.sign_in("ann", watchlist=["ann"])
        assert await events(ann) == {"online": ["ann"]}
        await ann.expect("pusher:signin_success")
        await ann.expect_nothing()


async def test_a_terminated_user_is_offline(serve: Serve) -> None:
    async with serve(WATCHING) as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await signed_in(bob, "bob")
        await server.settled()
        await ann.sign_in("ann", watchlist=["bob"])
        assert await events(ann) == {"online": ["bob"]}
        await ann.expect("pusher:signin_success")
        await ApiClient(server.port).post("/users/bob/terminate_connections")
        assert await events(ann) == {"offline": ["bob"]}


async def test_a_list_above_a_hundred_is_cut(serve: Serve) -> None:
    watched = [f"user-{number}" for number in range(101)]
    async with serve(WATCHING) as server, PusherClient(server.port) as ann, PusherClient(server.port) as last:
        await ann.sign_in("ann", watchlist=watched)
        assert await ann.expect_error(4302) == ("Watchlist limit exceeded. Only the first 100 user IDs are accepted.")
        assert await events(ann) == {"offline": watched[:100]}
        await ann.expect("pusher:signin_success")
        await signed_in(last, watched[-1])
        await server.settled()
        await ann.expect_nothing()


async def test_where_watchlists_are_switched_off_the_list_is_ignored(serve: Serve) -> None:
    async with (
        serve(app(enable_user_authentication=True)) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port) as bob,
    ):
        await ann.sign_in("ann", watchlist=["bob"])
        await ann.expect("pusher:signin_success")
        await signed_in(bob, "bob")
        await server.settled()
        await ann.expect_nothing()


async def test_users_of_another_app_are_not_watched(serve: Serve) -> None:
    other = WATCHING | {"id": "other", "key": "other-key", "secret": "other-secret"}
    async with (
        serve(WATCHING, other) as server,
        PusherClient(server.port) as ann,
        PusherClient(server.port, "other-key", "other-secret") as bob,
    ):
        await ann.sign_in("ann", watchlist=["bob"])
        await events(ann)
        await ann.expect("pusher:signin_success")
        await signed_in(bob, "bob")
        await server.settled()
        await ann.expect_nothing()
