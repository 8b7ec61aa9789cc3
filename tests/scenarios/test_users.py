"""Signing in, events for a user, and the time within which a connection must be authorised."""

from __future__ import annotations

import json

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.nodes import Serve
from tests.servers.server import app

pytestmark = pytest.mark.every_topology

USERS = app(enable_user_authentication=True)
ANNS = "#server-to-user-ann"


async def signed_in(client: PusherClient, user_id: str = "ann") -> None:
    await client.sign_in(user_id)
    await client.expect("pusher:signin_success")


async def test_a_sign_in_is_answered_with_the_unchanged_user_data(serve: Serve) -> None:
    user_data = '{ "id": "ann", "user_info": {"name": "Änn"}, "n": 1.10 }'
    async with serve(USERS) as server, PusherClient(server.port) as client:
        await client.sign_in_with(user_data)
        assert await client.receive() == {"event": "pusher:signin_success", "data": {"user_data": user_data}}
        await client.expect_nothing()


async def test_a_sign_ins_data_may_be_json_in_a_string(serve: Serve) -> None:
    user_data = '{"id":"ann"}'
    async with serve(USERS) as server, PusherClient(server.port) as client:
        data = {"auth": client.user_auth(user_data), "user_data": user_data}
        await client.send({"event": "pusher:signin", "data": json.dumps(data)})
        await client.expect("pusher:signin_success")


@pytest.mark.parametrize("auth", ["", "app-key:", "app-key:0", "nonsense"])
async def test_a_wrong_signature_ends_the_connection_with_4009(serve: Serve, auth: str) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        await client.send({"event": "pusher:signin", "data": {"auth": auth, "user_data": '{"id":"ann"}'}})
        code, text = await client.expect_end()
        assert code == 4009
        assert "not authorized for signin" in text


async def test_a_signature_for_another_key_or_socket_ends_the_connection(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        user_data = '{"id":"ann"}'
        other_key = ann.user_auth(user_data).replace("app-key", "other-key")
        for client, auth in ((ann, other_key), (bob, ann.user_auth(user_data))):
            await client.send({"event": "pusher:signin", "data": {"auth": auth, "user_data": user_data}})
            assert (await client.expect_end())[0] == 4009


@pytest.mark.parametrize(
    "user_data", ["not json", "[]", "{}", '{"id":""}', '{"id":null}', '{"id":true}', '{"id":"ann","watchlist":"bob"}']
)
async def test_signed_user_data_without_a_user_ends_with_4009(serve: Serve, user_data: str) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        await client.sign_in_with(user_data)
        assert (await client.expect_end())[0] == 4009


async def test_a_numeric_id_signs_in_as_its_text(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        await client.sign_in_with('{"id":7,"user_info":{"name":"Ann"}}')
        success = await client.expect("pusher:signin_success")
        assert json.loads(success["data"]["user_data"]) == {"id": "7", "user_info": {"name": "Ann"}}
        await ApiClient(server.port).trigger("#server-to-user-7", "hi")
        assert (await client.receive())["channel"] == "#server-to-user-7"
        await ApiClient(server.port).post("/users/7/terminate_connections")
        assert (await client.expect_end())[0] == 4009


async def test_where_sign_in_is_switched_off_the_connection_stays_open(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.sign_in("ann")
        assert "enable_user_authentication" in await client.expect_error(4009)
        await client.subscribe("news")


async def test_a_second_identity_is_refused_and_the_first_one_kept(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        await signed_in(client)
        await client.sign_in("bob")
        assert "another user" in await client.expect_error(4009)
        await ApiClient(server.port).trigger(ANNS, "x")
        assert (await client.expect("event"))["channel"] == ANNS
        await ApiClient(server.port).trigger("#server-to-user-bob", "x")
        await client.expect_nothing()


async def test_signing_in_again_as_the_same_user_succeeds_again(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        for _ in range(2):
            await signed_in(client)
        await ApiClient(server.port).trigger(ANNS, "x")
        await client.expect("event")
        await client.expect_nothing()


async def test_an_event_for_a_user_reaches_all_their_connections_only(serve: Serve) -> None:
    async with (
        serve(USERS) as server,
        PusherClient(server.port) as tab,
        PusherClient(server.port) as other_tab,
        PusherClient(server.port) as bob,
        PusherClient(server.port) as nobody,
    ):
        await signed_in(bob, "bob")
        for client in (tab, other_tab):
            await signed_in(client)
            assert (await client.subscribe(ANNS))["event"] == "pusher_internal:subscription_succeeded"
        await ApiClient(server.port).trigger(ANNS, {"to": "ann"}, name="note")
        for client in (tab, other_tab):
            assert await client.receive() == {"event": "note", "channel": ANNS, "data": '{"to":"ann"}'}
            await client.expect_nothing()
        for client in (bob, nobody):
            await client.expect_nothing()


async def test_an_event_for_a_user_spares_the_excluded_socket(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as tab, PusherClient(server.port) as other_tab:
        for client in (tab, other_tab):
            await signed_in(client)
        await ApiClient(server.port).trigger(ANNS, "x", socket_id=tab.socket_id)
        await other_tab.expect("event")
        await tab.expect_nothing()


async def test_an_event_for_an_absent_user_is_taken_and_lost(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        await ApiClient(server.port).trigger(ANNS, "x")
        await signed_in(client)
        await client.expect_nothing()


@pytest.mark.parametrize("as_whom", [None, "bob", "an", "annn"])
async def test_a_users_channel_is_open_to_nobody_else(serve: Serve, as_whom: str | None) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        if as_whom is not None:
            await signed_in(client, as_whom)
        await client.ask_for(ANNS)
        await client.expect_rejection(ANNS, "AuthError", 401)
        await ApiClient(server.port).trigger(ANNS, "x")
        await client.expect_nothing()


async def test_a_presence_member_is_not_a_signed_in_user(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        await client.subscribe("presence-room", {"user_id": "ann"})
        await ApiClient(server.port).trigger(ANNS, "x")
        await client.expect_nothing()


async def test_a_users_channel_is_not_listed(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        await signed_in(client)
        await client.subscribe(ANNS)
        assert await ApiClient(server.port).channels() == {}


async def test_unauthorised_connections_are_ended_in_time_and_no_others(serve: Serve) -> None:
    async with (
        serve(USERS, speed=20, user_authentication_timeout=40) as server,
        PusherClient(server.port) as idle,
        PusherClient(server.port) as public,
        PusherClient(server.port) as rejected,
        PusherClient(server.port) as signed,
        PusherClient(server.port) as private,
        PusherClient(server.port) as presence,
    ):
        await public.subscribe("news")
        await rejected.ask_for("private-a", auth="app-key:0")
        await rejected.expect_rejection("private-a", "AuthError", 401)
        await signed_in(signed)
        await private.subscribe("private-a")
        # That it has left again does not count against it.
        await private.unsubscribe("private-a")
        await presence.subscribe("presence-a", {"user_id": "bob"})
        for client in (idle, public, rejected):
            code, text = await client.expect_end()
            assert code == 4009
            assert text.startswith("Connection not authorized within timeout")
            assert "40 s" in text
            assert "user_authentication_timeout" in text
        for client in (signed, private, presence):
            await client.expect_nothing()


async def test_nobody_needs_authorisation_where_sign_in_is_off(serve: Serve) -> None:
    apps = app(), app(id="strict", key="strict-key", secret="s", enable_user_authentication=True)
    async with (
        serve(*apps, speed=20, user_authentication_timeout=1) as server,
        PusherClient(server.port) as free,
        PusherClient(server.port, "strict-key") as strict,
    ):
        await strict.expect_end()
        await free.expect_nothing()
