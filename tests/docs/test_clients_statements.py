"""Every statement of docs/clients.md about the protocol holds at a running server."""

from __future__ import annotations

import json
import time
from typing import Final

import pytest

from tests.clients.client import ApiClient, PusherClient, http
from tests.clients.raw import PING, TEXT, RawWebSocket
from tests.servers.server import KEY, app, running_server, settings
from tests.servers.webhook_receiver import webhook_receiver
from tests.support.pages import Claims
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs/clients.md"
CLIENTS: Final = Claims(PAGE, "## In clients")
CHANNELS: Final = Claims(PAGE, "## Channels")
DIFFERENCES: Final = Claims(PAGE, "## Differences from Pusher")
# The points of soketi's section that say the same.
SOKETI: Final = Claims(ROOT / "docs/migrating.md", "### Differences for clients and back ends")
USERS: Final = app(enable_user_authentication=True, enable_watchlist_events=True)
ROOM: Final = "presence-room"


@pytest.mark.parametrize("claims", [CLIENTS, CHANNELS, DIFFERENCES, SOKETI])
def test_every_statement_has_a_test(claims: Claims) -> None:
    assert (claims.unproved(), claims.vanished()) == ([], [])


# In clients

# These are about the libraries: the first one runs as shown in tests/libraries, the others were not run.
CLIENTS.proves("pusher-js needs a `cluster`", "Some mobile wrappers take")(test_every_statement_has_a_test)


@CLIENTS.proves("Leave `enabledTransports` at WebSockets")
async def test_transports_over_http_are_not_served() -> None:
    async with running_server() as server:
        for target in (f"/pusher/app/{KEY}/1/abc/xhr_streaming", "/sockjs/info"):
            assert (await http(server.port, "POST", target)).status == 404


@CLIENTS.proves("With a `path_prefix` of `/realtime`")
async def test_a_path_prefix_is_part_of_every_address() -> None:
    async with running_server(path_prefix="/realtime") as server:
        async with PusherClient(server.port, prefix="/realtime"):
            pass
        assert (await http(server.port, "GET", f"/app/{KEY}?protocol=7")).status == 404


@CLIENTS.proves("Your back end authorises private channels")
async def test_what_a_back_end_signs_is_let_in() -> None:
    async with running_server(USERS) as server, PusherClient(server.port) as client:
        for channel, data in (("private-a", None), (ROOM, {"user_id": "ann"})):
            assert (await client.subscribe(channel, data))["event"] == "pusher_internal:subscription_succeeded"
        await client.sign_in("ann")
        await client.expect("pusher:signin_success")


# Channels


@CHANNELS.proves("A sign-in is signed with `KEY:SIGNATURE` too.")
@SOKETI.proves("A sign-in is signed with `KEY:SIGNATURE`.")
async def test_a_sign_in_signed_without_the_key_is_refused() -> None:
    async with running_server(USERS) as server, PusherClient(server.port) as client:
        user_data = '{"id":"ann"}'
        alone = client.user_auth(user_data).partition(":")[2]
        await client.send({"event": "pusher:signin", "data": {"auth": alone, "user_data": user_data}})
        assert (await client.expect_end())[0] == 4009


@CHANNELS.proves("On a channel that is not a presence channel, `channel_data`")
async def test_the_signature_of_a_longer_name_opens_no_other_channel() -> None:
    async with running_server() as server, PusherClient(server.port) as client:
        auth = client.auth("private-a:b")
        await client.send(
            {"event": "pusher:subscribe", "data": {"channel": "private-a", "channel_data": "b", "auth": auth}}
        )
        assert (await client.expect("pusher:subscription_error"))["channel"] == "private-a"


@CHANNELS.proves("User ids are texts.")
async def test_a_numeric_id_signs_in_as_its_text() -> None:
    async with running_server(USERS) as server, PusherClient(server.port) as client:
        user_data = '{"id":7.0}'
        auth = client.user_auth(user_data)
        await client.send({"event": "pusher:signin", "data": {"auth": auth, "user_data": user_data}})
        data = (await client.expect("pusher:signin_success"))["data"]
        assert json.loads(data["user_data"])["id"] == "7"


@CHANNELS.proves("Names that begin with `pusher:`")
async def test_names_of_the_server_are_not_relayed() -> None:
    async with running_server() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client in (ann, bob):
            await client.subscribe("private-a")
        for name in ("pusher:x", "pusher_internal:x"):
            await ann.trigger("private-a", name, {})
            assert (await ann.expect("pusher:error"))["data"]["code"] is None
        await bob.expect_nothing()


@CHANNELS.proves("**Half a character.**")
async def test_half_a_character_is_relayed_as_it_came() -> None:
    async with running_server() as server, PusherClient(server.port) as ann, RawWebSocket(server.port) as bob:
        await ann.subscribe("private-a")
        await bob.subscribe("private-a")
        text = r'{"event":"client-x","channel":"private-a","data":"\ud83d"}'
        await ann.send_text(text)
        assert (await bob.frame())[1].decode() == text
        body = rb'{"name":"e","channel":"private-a","data":{"a":"\ud83d"}}'
        api = ApiClient(server.port)
        assert (await http(server.port, "POST", api.target("POST", "/events", body), body)).status == 200
        assert (await ann.expect("e"))["data"] == '{"a":"\ufffd"}'


@CHANNELS.proves("A connection that is signed in may join a presence channel without")
async def test_a_user_joins_a_presence_channel_as_that_user() -> None:
    async with running_server(USERS) as server, PusherClient(server.port) as client:
        await client.sign_in("ann")
        await client.expect("pusher:signin_success")
        data = json.loads((await client.subscribe(ROOM))["data"])
        assert data["presence"]["ids"] == ["ann"]


@CHANNELS.proves("**Client events** (`client-...`)")
async def test_client_events_go_to_the_others_or_are_refused() -> None:
    quiet = app(id="quiet", key="quiet", enable_client_messages=False)
    async with running_server(app(), quiet) as server:
        async with PusherClient(server.port) as ann, PusherClient(server.port) as bob:
            await ann.subscribe(ROOM, {"user_id": "ann"})
            await bob.subscribe(ROOM, {"user_id": "bob"})
            await ann.expect("pusher_internal:member_added")
            await ann.trigger(ROOM, "client-typing", {"at": [1]})
            assert await bob.receive() == {
                "event": "client-typing", "channel": ROOM, "data": {"at": [1]}, "user_id": "ann",
            }  # fmt: skip
            await ann.subscribe("news")
            await ann.subscribe("private-encrypted-a")
            for channel in ("news", "private-encrypted-a", "private-elsewhere"):
                await ann.trigger(channel, "client-typing", {})
                await ann.expect_error(4301)
            await bob.expect_nothing()
        async with PusherClient(server.port, "quiet") as client:
            await client.subscribe("private-a")
            await client.trigger("private-a", "client-typing", {})
            await client.expect_error(4301)


@CHANNELS.proves("**Sign-in, server-to-user events, watchlists**")
async def test_users_need_user_authentication() -> None:
    async with running_server(USERS) as server, PusherClient(server.port) as client:
        await client.sign_in("ann", watchlist=["bob"])
        await client.expect("pusher_internal:watchlist_events")
        await client.expect("pusher:signin_success")
        await ApiClient(server.port).trigger("#server-to-user-ann", "hello")
        assert (await client.expect("event"))["channel"] == "#server-to-user-ann"
    async with running_server(app(enable_user_authentication=True)) as server, PusherClient(server.port) as client:
        await client.sign_in("ann", watchlist=["bob"])
        await client.expect("pusher:signin_success")
        await client.expect_nothing()


@CHANNELS.proves("**Subscription counts** need")
async def test_counts_are_told_to_subscribers() -> None:
    async with running_server(app(enable_subscription_count=True)) as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        assert (await client.expect("pusher_internal:subscription_count"))["data"] == '{"subscription_count":1}'
        began = time.monotonic()
        async with PusherClient(server.port) as other:
            await other.subscribe("news")
            assert (await client.expect("pusher_internal:subscription_count"))["data"] == '{"subscription_count":2}'
        # The clock of the server is a little coarser than ours.
        assert time.monotonic() - began > 0.5
        await client.subscribe(ROOM, {"user_id": "ann"})
        await client.expect("pusher_internal:subscription_count")
        await client.expect_nothing()
    async with running_server() as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        await client.expect_nothing()


# Differences from Pusher


@DIFFERENCES.proves("Event data may be 100 KB")
async def test_limits_are_those_that_are_named() -> None:
    assert settings().event_limits.max_payload_in_kb == 100
    async with running_server() as server:
        api = ApiClient(server.port)
        event = {"name": "event", "channel": "a:b#c", "data": "x" * 100 * 1024}
        assert (await api.post("/events", event)).status == 200
        assert (await api.post("/events", event | {"data": "x" * (100 * 1024 + 1)})).status == 413
        async with PusherClient(server.port) as client:
            await client.subscribe("private-a:b#c")
            for number in range(50):
                await client.trigger("private-a:b#c", "client-x", number)
            await client.expect_nothing()
            for size, is_taken in ((200, True), (201, False)):
                await client.ask_for("presence-x", {"user_id": "x" * size})
                answer = await client.receive()
                assert (answer["event"] == "pusher_internal:subscription_succeeded") is is_taken
                await client.unsubscribe("presence-x") if is_taken else await client.expect_error(None)


@DIFFERENCES.proves("The server answers a refused subscription with")
async def test_a_refused_subscription_keeps_the_connection() -> None:
    async with running_server() as server, PusherClient(server.port) as client:
        await client.ask_for("private-a", auth=f"{KEY}:wrong")
        await client.expect_rejection("private-a", "AuthError", 401)
        await client.expect_nothing()


@DIFFERENCES.proves("The server answers a frame that it does not understand")
async def test_a_strange_frame_keeps_the_connection() -> None:
    async with running_server() as server, PusherClient(server.port) as client:
        for text in ("{", "[]", "hello"):
            await client.send_text(text)
            await client.expect_error(None)
        await client.expect_nothing()
        for _ in range(46):
            await client.send_text("{")
            await client.expect_error(None)
        await client.send_text("{")
        assert (await client.expect_end())[0] == 4100


@DIFFERENCES.proves("A connection may be on 1000 channels at a time")
async def test_one_channel_more_than_the_limit_is_refused() -> None:
    async with running_server(channel_limits={"max_channels_per_connection": 2}) as server:
        assert settings().channel_limits.max_channels_per_connection == 1000
        async with PusherClient(server.port) as client:
            for channel in ("a", "b"):
                await client.subscribe(channel)
            await client.ask_for("c")
            await client.expect_rejection("c", "LimitReached", 4004)


@DIFFERENCES.proves("The server pings with WebSocket PING frames")
async def test_any_bytes_answer_a_ping() -> None:
    async with running_server(speed=20, activity_timeout=2) as server, RawWebSocket(server.port) as client:
        await client.open()
        for answer in (b'{"event":"pusher:ping","data":{}}', b'{"event":"unknown"}'):
            assert await client.frame() == (PING, b"")
            await client.send(TEXT, answer)
            if b"ping" in answer:
                assert await client.event() == {"event": "pusher:pong", "data": "{}"}


@DIFFERENCES.proves("The server speaks protocol versions 4 to 7")
@pytest.mark.parametrize(("query", "code"), [("", 0), ("?protocol=4", 0), ("?protocol=7", 0), ("?protocol=3", 4007)])
async def test_these_protocol_versions_are_spoken(query: str, code: int) -> None:
    async with running_server() as server:
        client = PusherClient(server.port, query=query)
        if code:
            assert (await client.expect_refusal())[0] == code
        else:
            async with client:
                await client.expect_nothing()


@DIFFERENCES.proves("An app with `allowed_origins` refuses clients")
@SOKETI.proves("Once an app has `allowed_origins`")
async def test_allowed_origins_refuse_clients_without_an_origin() -> None:
    async with running_server(app(allowed_origins=["https://a.example"])) as server:
        assert (await PusherClient(server.port).expect_refusal())[0] == 4009
        async with PusherClient(server.port, origin="https://a.example"):
            pass
    async with running_server() as server, PusherClient(server.port):
        pass


@DIFFERENCES.proves("A `user_id` that is a number")
@SOKETI.proves("A `user_id` that is a number")
async def test_an_id_that_was_a_number_comes_back_as_text() -> None:
    async with running_server() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        presence = json.loads((await ann.subscribe(ROOM, {"user_id": 10}))["data"])["presence"]
        assert (presence["ids"], list(presence["hash"])) == (["10"], ["10"])
        await bob.subscribe(ROOM, {"user_id": 11})
        assert json.loads((await ann.expect("pusher_internal:member_added"))["data"])["user_id"] == "11"
        await ann.trigger(ROOM, "client-x", 1)
        assert (await bob.expect("client-x"))["user_id"] == "10"
        users = (await ApiClient(server.port).get(f"/channels/{ROOM}/users")).json()["users"]
        assert sorted(one["id"] for one in users) == ["10", "11"]


@DIFFERENCES.proves("`GET /channels` returns counts only where")
@SOKETI.proves("`GET /channels` returns counts only where")
async def test_channels_have_counts_where_they_are_asked_for() -> None:
    async with running_server() as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        api = ApiClient(server.port)
        assert await api.channels() == {"news": {}}
        assert await api.channels(info="subscription_count") == {"news": {"subscription_count": 1}}


@DIFFERENCES.proves("Terminating a user also closes connections")
async def test_terminating_ends_members_who_have_not_signed_in() -> None:
    async with running_server() as server, PusherClient(server.port) as client:
        await client.subscribe(ROOM, {"user_id": "ann"})
        assert (await ApiClient(server.port).post("/users/ann/terminate_connections")).status == 200
        assert (await client.expect_end())[0] == 4009


@DIFFERENCES.proves("The server answers a sign-in at an app without")
async def test_a_sign_in_that_is_not_offered_keeps_the_connection() -> None:
    async with running_server() as server, PusherClient(server.port) as client:
        await client.sign_in("ann")
        await client.expect_error(4009)
        await client.expect_nothing()


@DIFFERENCES.proves("Subscribing again to a channel")
async def test_subscribing_again_succeeds_and_changes_nothing() -> None:
    async with running_server() as server, PusherClient(server.port) as client:
        for _ in range(2):
            assert (await client.subscribe("news"))["event"] == "pusher_internal:subscription_succeeded"
        assert await ApiClient(server.port).channels(info="subscription_count") == {"news": {"subscription_count": 1}}
        await ApiClient(server.port).trigger("news", "once")
        await client.expect("event")
        await client.expect_nothing()


@DIFFERENCES.proves("Each event of a webhook has `time_ms`")
async def test_each_event_of_a_webhook_has_its_time() -> None:
    async with webhook_receiver() as receiver:
        hook = {"url": receiver.url, "event_types": ["channel_occupied"]}
        async with running_server(app(webhooks=[hook])) as server, PusherClient(server.port) as client:
            await client.subscribe("news")
            await receiver.until(lambda: bool(receiver.events))
        assert isinstance(json.loads(receiver.requests[0].body)["events"][0]["time_ms"], int)
