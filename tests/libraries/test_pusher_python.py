"""The official Python server library `pusher` against the running server.

It is synchronous: calls run in a thread while an asynchronous client waits for what they bring.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any, Final

import nacl.secret
import pusher
import pytest
from pusher.errors import PusherBadAuth, PusherBadRequest, PusherBadStatus, PusherForbidden

from tests.clients.client import PusherClient
from tests.libraries.apps import APP_ID, DISABLED_ID, DISABLED_KEY
from tests.servers.server import KEY, SECRET, ServerProcess

MASTER_KEY: Final = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def api(server: ServerProcess) -> Any:
    """Return the library, set up as its documentation says for another host."""
    return library(server)


def library(server: ServerProcess, app_id: str = APP_ID, key: str = KEY, secret: str = SECRET) -> Any:
    return pusher.Pusher(
        app_id=app_id,
        key=key,
        secret=secret,
        host="127.0.0.1",
        port=server.port,
        ssl=False,
        encryption_master_key_base64=MASTER_KEY,
    )


async def join(api: Any, client: PusherClient, channel: str, member: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Subscribe with the authorisation that the library makes and return what it made."""
    auth: dict[str, Any] = api.authenticate(channel, client.socket_id, member)
    sent = {name: value for name, value in auth.items() if name != "shared_secret"}
    await client.send({"event": "pusher:subscribe", "data": {"channel": channel} | sent})
    await receive(client, "pusher_internal:subscription_succeeded")
    return auth


async def receive(client: PusherClient, event: str) -> dict[str, Any]:
    """Return the next frame with this name; subscription counts may come before it."""
    while (frame := await client.receive())["event"] == "pusher_internal:subscription_count":
        pass
    assert frame["event"] == event, frame
    return frame


async def test_trigger_reaches_one_channel(server: ServerProcess, api: Any) -> None:
    async with PusherClient(server.port) as client:
        await client.subscribe("python-one")
        answer = await asyncio.to_thread(api.trigger, "python-one", "event", {"text": "Grüße 🌍"})
        assert answer == {}
        assert json.loads((await receive(client, "event"))["data"]) == {"text": "Grüße 🌍"}


async def test_trigger_reaches_several_channels(server: ServerProcess, api: Any) -> None:
    async with PusherClient(server.port) as one, PusherClient(server.port) as two:
        await one.subscribe("python-several-1")
        await two.subscribe("python-several-2")
        await asyncio.to_thread(api.trigger, ["python-several-1", "python-several-2"], "event", "text")
        assert [(await receive(client, "event"))["data"] for client in (one, two)] == ["text", "text"]


async def test_trigger_leaves_out_the_named_socket(server: ServerProcess, api: Any) -> None:
    async with PusherClient(server.port) as one, PusherClient(server.port) as two:
        for client in (one, two):
            await client.subscribe("python-others")
        await asyncio.to_thread(api.trigger, "python-others", "first", {}, one.socket_id)
        await asyncio.to_thread(api.trigger, "python-others", "second", {})
        await receive(one, "second")
        await receive(two, "first")


async def test_trigger_batch_goes_out_in_order(server: ServerProcess, api: Any) -> None:
    async with PusherClient(server.port) as client:
        await client.subscribe("python-batch")
        batch = [{"channel": "python-batch", "name": f"event-{number}", "data": {"n": number}} for number in range(10)]
        assert await asyncio.to_thread(api.trigger_batch, batch) == {}
        for number in range(10):
            assert json.loads((await receive(client, f"event-{number}"))["data"]) == {"n": number}


async def test_channels_info_lists_occupied_channels_with_their_users(server: ServerProcess, api: Any) -> None:
    async with PusherClient(server.port) as client:
        await join(api, client, "presence-python-list", {"user_id": "ann"})
        answer = await asyncio.to_thread(api.channels_info, "presence-python-list", ["user_count"])
        assert answer == {"channels": {"presence-python-list": {"user_count": 1}}}
        everything = await asyncio.to_thread(api.channels_info)
        assert everything["channels"]["presence-python-list"] == {}


async def test_channel_info_describes_a_channel_occupied_or_not(server: ServerProcess, api: Any) -> None:
    async with PusherClient(server.port) as client:
        assert await asyncio.to_thread(api.channel_info, "python-info") == {"occupied": False}
        await client.subscribe("python-info")
        answer = await asyncio.to_thread(api.channel_info, "python-info", ["subscription_count"])
        assert answer == {"occupied": True, "subscription_count": 1}


async def test_users_info_lists_each_user_once(server: ServerProcess, api: Any) -> None:
    async with PusherClient(server.port) as one, PusherClient(server.port) as two:
        for client in (one, two):
            await join(api, client, "presence-python-users", {"user_id": "ann"})
        answer = await asyncio.to_thread(api.users_info, "presence-python-users")
        assert answer == {"users": [{"id": "ann"}]}


async def test_terminate_user_connections_ends_those_of_the_user(server: ServerProcess, api: Any) -> None:
    async with PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        await join(api, ann, "presence-python-terminate", {"user_id": "python-ann"})
        await bob.subscribe("python-terminate")
        assert await asyncio.to_thread(api.terminate_user_connections, "python-ann") == {}
        assert (await receive(ann, "pusher:error"))["data"]["code"] == 4009
        assert (await ann.expect_close())[0] == 4009
        await asyncio.to_thread(api.trigger, "python-terminate", "event", {})
        await receive(bob, "event")


async def test_authenticate_lets_clients_into_private_and_presence_channels(server: ServerProcess, api: Any) -> None:
    async with PusherClient(server.port) as client:
        await join(api, client, "private-python")
        await join(api, client, "presence-python", {"user_id": "ann", "user_info": {"name": "Ann Müller"}})
        await asyncio.to_thread(api.trigger, "private-python", "event", {})
        await receive(client, "event")


async def test_authenticate_user_signs_in_and_send_to_user_arrives(server: ServerProcess, api: Any) -> None:
    async with PusherClient(server.port) as client:
        auth = api.authenticate_user(client.socket_id, {"id": "python-user", "name": "Ann"})
        await client.send({"event": "pusher:signin", "data": auth})
        success = await receive(client, "pusher:signin_success")
        assert json.loads(success["data"]["user_data"]) == {"id": "python-user", "name": "Ann"}
        await asyncio.to_thread(api.send_to_user, "python-user", "note", {"n": 1})
        assert (await receive(client, "note"))["channel"] == "#server-to-user-python-user"


async def test_an_encrypted_event_is_readable_with_the_shared_secret_only(server: ServerProcess, api: Any) -> None:
    async with PusherClient(server.port) as client:
        auth = await join(api, client, "private-encrypted-python")
        await asyncio.to_thread(api.trigger, "private-encrypted-python", "event", {"word": "swordfish"})
        sealed = json.loads((await receive(client, "event"))["data"])
        assert sealed.keys() == {"nonce", "ciphertext"}
        box = nacl.secret.SecretBox(base64.b64decode(auth["shared_secret"]))
        opened = box.decrypt(base64.b64decode(sealed["ciphertext"]), base64.b64decode(sealed["nonce"]))
        assert json.loads(opened) == {"word": "swordfish"}


def test_a_wrong_secret_is_bad_auth(server: ServerProcess) -> None:
    wrong = library(server, secret="wrong")
    with pytest.raises(PusherBadAuth):
        wrong.trigger("python", "event", {})
    with pytest.raises(PusherBadAuth):
        wrong.channels_info()
    with pytest.raises(PusherBadAuth):
        wrong.terminate_user_connections("ann")


def test_a_disabled_app_is_forbidden(server: ServerProcess) -> None:
    with pytest.raises(PusherForbidden, match="disabled"):
        library(server, DISABLED_ID, DISABLED_KEY).trigger("python", "event", {})


def test_an_unknown_app_is_not_found(server: ServerProcess) -> None:
    with pytest.raises(PusherBadStatus, match="404"):
        library(server, app_id="999").trigger("python", "event", {})


def test_a_question_unfit_for_the_channel_is_a_bad_request(api: Any) -> None:
    with pytest.raises(PusherBadRequest, match="presence"):
        api.users_info("python-public")
    with pytest.raises(PusherBadRequest, match="user_count"):
        api.channel_info("python-public", ["user_count"])


def test_many_requests_use_one_connection(api: Any) -> None:
    for number in range(20):
        api.trigger("python-keep-alive", "event", {"n": number})
        api.channels_info("python-keep-alive")
    http = api._pusher_client.http
    (pool,) = http.session.get_adapter("http://127.0.0.1").poolmanager.pools._container.values()
    assert (pool.num_connections, pool.num_requests) == (1, 40)
