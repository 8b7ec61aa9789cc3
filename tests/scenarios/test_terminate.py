"""Ending every connection of a user over HTTP."""

from __future__ import annotations

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.nodes import Serve
from tests.servers.server import app

pytestmark = pytest.mark.every_topology

USERS = app(enable_user_authentication=True)
PATH = "/users/ann/terminate_connections"


async def test_only_connections_signed_in_as_the_user_end_with_4009(serve: Serve) -> None:
    async with (
        serve(USERS) as server,
        PusherClient(server.port) as tab,
        PusherClient(server.port) as other_tab,
        PusherClient(server.port) as bob,
        PusherClient(server.port) as nobody,
    ):
        for client, user_id in ((tab, "ann"), (other_tab, "ann"), (bob, "bob")):
            await client.sign_in(user_id)
            await client.expect("pusher:signin_success")
        answer = await ApiClient(server.port).post(PATH, {})
        assert (answer.status, answer.json()) == (200, {})
        for client in (tab, other_tab):
            assert await client.expect_end() == (4009, "User terminated by app.")
        for client in (bob, nobody):
            await client.expect_nothing()


async def test_every_connection_of_a_user_is_told_to_reconnect(serve: Serve) -> None:
    async with (
        serve(USERS) as server,
        PusherClient(server.port) as signed_in,
        PusherClient(server.port) as present,
        PusherClient(server.port) as bob,
    ):
        await signed_in.sign_in("ann")
        await signed_in.expect("pusher:signin_success")
        await present.subscribe("presence-room", {"user_id": "ann"})
        await bob.sign_in("bob")
        await bob.expect("pusher:signin_success")
        answer = await ApiClient(server.port).post("/users/ann/force_reconnect", {})
        assert (answer.status, answer.json()) == (200, {})
        for client in (signed_in, present):
            assert await client.expect_end() == (4200, "Force reconnect requested by the app.")
        await bob.expect_nothing()


async def test_the_users_presence_connections_end_too(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await bob.subscribe("presence-room", {"user_id": "bob"})
        await server.settled()
        await ann.subscribe("presence-room", {"user_id": "ann"})
        await bob.expect("pusher_internal:member_added")
        await ApiClient(server.port).post(PATH)
        assert await ann.expect_end() == (4009, "User terminated by app.")
        assert (await bob.expect("pusher_internal:member_removed"))["data"] == '{"user_id":"ann"}'
        await bob.expect_nothing()


async def test_others_hear_once_of_a_user_terminated_in_two_tabs(serve: Serve) -> None:
    async with (
        serve(USERS) as server,
        PusherClient(server.port) as watcher,
        PusherClient(server.port) as tab,
        PusherClient(server.port) as other_tab,
    ):
        await watcher.subscribe("presence-room", {"user_id": "watcher"})
        await server.settled()
        for client in (tab, other_tab):
            await client.sign_in("ann")
            await client.expect("pusher:signin_success")
            await client.subscribe("presence-room")
        await watcher.expect("pusher_internal:member_added")
        await ApiClient(server.port).post(PATH)
        await watcher.expect("pusher_internal:member_removed")
        await server.settled()
        await watcher.expect_nothing()
        assert await ApiClient(server.port).channels() == {"presence-room": {}}


async def test_a_user_who_is_not_there_is_terminated_without_complaint(serve: Serve) -> None:
    async with serve() as server:
        answer = await ApiClient(server.port).post(PATH)
        assert (answer.status, answer.json()) == (200, {})


async def test_a_user_id_may_be_percent_encoded(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        await client.sign_in("a b/ä")
        await client.expect("pusher:signin_success")
        await ApiClient(server.port).post("/users/a%20b%2F%C3%A4/terminate_connections")
        await client.expect_end()


async def test_an_empty_user_id_is_400(serve: Serve) -> None:
    async with serve() as server:
        for user_id in ("", "%20"):
            answer = await ApiClient(server.port).post(f"/users/{user_id}/terminate_connections")
            assert "user_id" in answer.error(400)


async def test_the_path_without_an_app_acts_on_the_keys_app(serve: Serve) -> None:
    apps = USERS, app(id="other", key="other-key", secret="other-secret", enable_user_authentication=True)
    async with (
        serve(*apps) as server,
        PusherClient(server.port) as ours,
        PusherClient(server.port, "other-key", "other-secret") as theirs,
    ):
        for client in (ours, theirs):
            await client.sign_in("ann")
            await client.expect("pusher:signin_success")
        answer = await ApiClient(server.port).request("POST", PATH, b"{}")
        assert (answer.status, answer.json()) == (200, {})
        await ours.expect_end()
        await theirs.expect_nothing()


async def test_the_path_without_an_app_needs_a_signed_known_key(serve: Serve) -> None:
    async with serve() as server:
        (await ApiClient(server.port, key="unknown").request("POST", PATH)).error(401)
        (await ApiClient(server.port, secret="wrong").request("POST", PATH)).error(401)


async def test_a_user_of_another_app_is_left_alone(serve: Serve) -> None:
    apps = USERS, app(id="other", key="other-key", secret="other-secret")
    async with serve(*apps) as server, PusherClient(server.port) as client:
        await client.sign_in("ann")
        await client.expect("pusher:signin_success")
        await ApiClient(server.port, "other", "other-key", "other-secret").post(PATH)
        await client.expect_nothing()
