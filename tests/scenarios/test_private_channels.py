"""Private, encrypted and private cache channels: nobody joins without a valid signature."""

from __future__ import annotations

import json

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.nodes import Serve
from tests.servers.server import app

GUARDED = [
    "private-a",
    "private-encrypted-a",
    "private-cache-a",
    "private-encrypted-cache-a",
    "private-my-cache-a",
    "presence-a",
    "presence-cache-a",
]

OPEN = ["news", "cache-a", "my-private-a", "Private-a", "privatea", "a-presence-b"]


@pytest.mark.parametrize("channel", GUARDED)
async def test_a_valid_signature_opens_the_channel(serve: Serve, channel: str) -> None:
    member = {"user_id": "ann"} if channel.startswith("presence-") else None
    async with serve() as server, PusherClient(server.port) as client:
        success = await client.subscribe(channel, member)
        assert success["event"] == "pusher_internal:subscription_succeeded"
        assert success["channel"] == channel


@pytest.mark.parametrize("channel", GUARDED)
@pytest.mark.parametrize("fault", ["missing", "empty signature", "no key", "other key", "other secret", "upper case"])
async def test_a_bad_signature_denies_the_channel_and_keeps_the_connection(
    serve: Serve, channel: str, fault: str
) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        data = '{"user_id":"ann"}' if channel.startswith("presence-") else None
        good = client.auth(channel, data)
        key, _, signature = good.partition(":")
        bad = {
            "missing": "",
            "empty signature": f"{key}:",
            "no key": signature,
            "other key": f"other:{signature}",
            "other secret": client.auth(channel, data, secret="wrong"),
            "upper case": f"{key}:{signature.upper()}",
        }
        await client.ask_for(channel, data, auth=bad[fault])
        await client.expect_rejection(channel, "AuthError", 401)
        assert await ApiClient(server.port).channels() == {}
        await client.subscribe("news")


@pytest.mark.parametrize("channel", OPEN)
async def test_a_prefix_counts_only_at_the_start_and_as_written(serve: Serve, channel: str) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        assert (await client.subscribe(channel))["event"] == "pusher_internal:subscription_succeeded"


async def test_a_signature_for_another_socket_or_channel_opens_nothing(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for auth in (ann.auth("private-a"), bob.auth("private-b")):
            await bob.ask_for("private-a", auth=auth)
            await bob.expect_rejection("private-a", "AuthError", 401)


async def test_a_key_of_another_app_opens_nothing(serve: Serve) -> None:
    apps = app(), app(id="other", key="other-key", secret="other-secret")
    async with serve(*apps) as server, PusherClient(server.port) as client:
        auth = client.auth("private-a", secret="other-secret").replace("app-key", "other-key")
        await client.ask_for("private-a", auth=auth)
        await client.expect_rejection("private-a", "AuthError", 401)


async def test_a_private_channels_channel_data_is_part_of_its_signature(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.ask_for("private-a", '{"any":"thing"}')
        await client.expect("pusher_internal:subscription_succeeded")
        await client.ask_for("private-b", '{"any":"thing"}', auth=client.auth("private-b"))
        await client.expect_rejection("private-b", "AuthError", 401)


async def test_a_subscriptions_data_may_be_json_in_a_string(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        data = json.dumps({"channel": "private-a", "auth": client.auth("private-a")})
        await client.send({"event": "pusher:subscribe", "data": data})
        await client.expect("pusher_internal:subscription_succeeded")


async def test_a_rejected_client_does_not_get_the_channels_events(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as inside, PusherClient(server.port) as outside:
        await inside.subscribe("private-a")
        await outside.ask_for("private-a", auth="app-key:0")
        await outside.expect_rejection("private-a", "AuthError", 401)
        await ApiClient(server.port).trigger("private-a", "secret")
        await inside.expect("event")
        await outside.expect_nothing()


async def test_the_payload_of_an_encrypted_channel_passes_untouched(serve: Serve) -> None:
    data = '{"nonce":"4sVYwy4j/8dCcjyxtPCWyk19GaaViaW9","ciphertext":"/GMESnFGlbNn01BuBjp31XYa3i9vZsGKR8fgR9ED="}'
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("private-encrypted-a")
        await ApiClient(server.port).trigger("private-encrypted-a", data)
        assert (await client.expect("event"))["data"] == data


async def test_a_rejection_repeats_neither_secret_nor_expected_signature(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.ask_for("private-a", auth="app-key:0")
        text = await client.expect_rejection("private-a", "AuthError", 401)
        assert client.auth("private-a").partition(":")[2] not in text
        assert "app-secret" not in text


@pytest.mark.parametrize("prefix", ["private-", "private-cache-", "private-encrypted-", "private-encrypted-cache-"])
async def test_the_signature_of_a_longer_name_opens_no_shorter_one(serve: Serve, prefix: str) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        auth = client.auth(f"{prefix}orders:42")
        await client.ask_for(f"{prefix}orders", "42", auth=auth)
        assert "must be a JSON object" in await client.expect_rejection(f"{prefix}orders", "InvalidMessage", 400)
        await ApiClient(server.port).trigger(f"{prefix}orders", "for others")
        await client.expect_nothing()
