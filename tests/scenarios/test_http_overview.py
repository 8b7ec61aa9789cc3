"""The overview page of the HTTP API, sentence by sentence."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import quote

import pusher
import pytest
from pusher.errors import PusherForbidden

from tests.clients.client import ApiClient, PusherClient, http, signature
from tests.servers.nodes import Serve
from tests.servers.server import APP_ID, KEY, SECRET, app

USERS = app(id="3", enable_user_authentication=True)
USER_PATH = "/users/ann/terminate_connections"


async def test_a_back_end_publishes_events_queries_channels_and_manages_users(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        api = ApiClient(server.port, "3")
        await client.sign_in("ann")
        await client.expect("pusher:signin_success")
        await client.subscribe("news")
        await api.trigger("news", "x")
        await client.expect("event")
        await server.settled()
        assert (await api.get("/channels/news")).json() == {"occupied": True}
        await api.post(USER_PATH)
        await client.expect_end()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/events"),
        ("POST", "/batch_events"),
        ("GET", "/channels"),
        ("GET", "/channels/news"),
        ("GET", "/channels/presence-news/users"),
        ("POST", USER_PATH),
        ("POST", "/channels/news/events"),
        ("GET", "/channels/news/stats"),
    ],
)
async def test_every_request_must_be_authenticated(serve: Serve, method: str, path: str) -> None:
    async with serve() as server:
        body = b'{"name":"e","channel":"news","data":"x"}' if method == "POST" else b""
        for query in ("", "?", "?info=occupied", f"?auth_key={KEY}"):
            (await http(server.port, method, f"/apps/{APP_ID}{path}{query}", body)).error(401)


async def test_the_base_path_names_the_app_by_its_id(serve: Serve) -> None:
    async with serve(app(id="my-cool-app"), app(id="other", key="other-key", secret="s")) as server:
        assert (await ApiClient(server.port, "my-cool-app").get("/channels")).status == 200
        assert (await ApiClient(server.port, "other", "other-key", "s").get("/channels")).status == 200


async def test_a_path_prefix_comes_before_the_base_path(serve: Serve) -> None:
    async with serve(app(id="my-cool-app"), path_prefix="/sockudo_api") as server:
        assert (await ApiClient(server.port, "my-cool-app", prefix="/sockudo_api").get("/channels")).status == 200
        (await ApiClient(server.port, "my-cool-app").get("/channels")).error(404)


def signed(method: str, path: str, params: dict[str, str], body: bytes = b"", **changes: str | None) -> str:
    """Return a target signed as the page describes it; a change of None leaves a parameter out."""
    every: dict[str, str | None] = {
        "auth_key": KEY,
        "auth_timestamp": str(int(time.time())),
        "auth_version": "1.0",
        **params,
    }
    if body:
        every["body_md5"] = hashlib.md5(body).hexdigest()
    every |= changes
    kept = {name: value for name, value in every.items() if value is not None}
    text = "\n".join([method, path, "&".join(f"{name}={kept[name]}" for name in sorted(kept))])
    kept["auth_signature"] = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    return path + "?" + "&".join(f"{name}={quote(value)}" for name, value in kept.items())


async def test_a_request_signed_as_described_is_accepted(serve: Serve) -> None:
    async with serve() as server:
        target = signed("GET", f"/apps/{APP_ID}/channels", {"info": "user_count", "filter_by_prefix": "presence-"})
        assert (await http(server.port, "GET", target)).status == 200


@pytest.mark.parametrize("missing", ["auth_key", "auth_timestamp", "body_md5"])
async def test_a_required_parameter_that_is_missing_is_401(serve: Serve, missing: str) -> None:
    body = b'{"name":"e","channel":"news","data":"x"}'
    async with serve() as server:
        target = signed("POST", f"/apps/{APP_ID}/events", {}, body, **{missing: None})
        assert missing in (await http(server.port, "POST", target, body)).error(401)


async def test_a_missing_signature_is_401(serve: Serve) -> None:
    async with serve() as server:
        target = signed("GET", f"/apps/{APP_ID}/channels", {}).partition("&auth_signature")[0]
        assert "auth_signature" in (await http(server.port, "GET", target)).error(401)


@pytest.mark.parametrize(("age", "status"), [(0, 200), (590, 200), (-590, 200), (610, 401), (-610, 401)])
async def test_a_timestamp_too_far_from_now_is_rejected(serve: Serve, age: int, status: int) -> None:
    async with serve() as server:
        target = signed("GET", f"/apps/{APP_ID}/channels", {}, auth_timestamp=str(int(time.time()) - age))
        answer = await http(server.port, "GET", target)
        if status == 200:
            assert answer.status == 200
        else:
            assert "Timestamp" in answer.error(401)


async def test_the_method_is_part_of_what_is_signed(serve: Serve) -> None:
    async with serve() as server:
        target = signed("POST", f"/apps/{APP_ID}/channels", {})
        (await http(server.port, "GET", target)).error(401)


async def test_the_path_is_part_of_what_is_signed(serve: Serve) -> None:
    async with serve() as server:
        _, _, query = signed("GET", f"/apps/{APP_ID}/channels", {}).partition("?")
        (await http(server.port, "GET", f"/apps/{APP_ID}/channels/news?{query}")).error(401)


async def test_every_other_parameter_is_part_of_what_is_signed(serve: Serve) -> None:
    async with serve() as server:
        target = signed("GET", f"/apps/{APP_ID}/channels", {})
        (await http(server.port, "GET", target + "&info=occupied")).error(401)
        target = signed("GET", f"/apps/{APP_ID}/channels", {"info": "occupied"})
        (await http(server.port, "GET", target.replace("occupied", "subscription_count"))).error(401)


async def test_the_parameters_are_signed_in_alphabetical_order(serve: Serve) -> None:
    async with serve() as server:
        path = f"/apps/{APP_ID}/channels"
        params = f"info=occupied&auth_key={KEY}&auth_timestamp={int(time.time())}&auth_version=1.0"
        unsorted = signature(f"GET\n{path}\n{params}")
        (await http(server.port, "GET", f"{path}?{params}&auth_signature={unsorted}")).error(401)
        in_order = signature(f"GET\n{path}\n" + "&".join(sorted(params.split("&"))))
        assert (await http(server.port, "GET", f"{path}?{params}&auth_signature={in_order}")).status == 200


async def test_the_md5_of_the_body_binds_it_to_the_signature(serve: Serve) -> None:
    body = b'{"name":"e","channel":"news","data":"x"}'
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        target = signed("POST", f"/apps/{APP_ID}/events", {}, body)
        assert "body_md5" in (await http(server.port, "POST", target, body.replace(b"x", b"y"))).error(401)
        assert (await http(server.port, "POST", target, body)).status == 200
        assert (await client.expect("e"))["data"] == "x"
        await client.expect_nothing()


async def test_an_events_parameters_may_be_in_the_signed_query(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("my-channel")
        params = {"name": "my-event", "channels[]": "my-channel", "data": '{"message":"hello"}'}
        answer = await http(server.port, "POST", signed("POST", f"/apps/{APP_ID}/events", params))
        assert (answer.status, answer.json()) == (200, {})
        assert await client.receive() == {
            "event": "my-event",
            "channel": "my-channel",
            "data": '{"message":"hello"}',
        }


async def test_the_official_python_library_works_with_the_pages_options(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        await client.sign_in("ann")
        await client.expect("pusher:signin_success")
        await client.subscribe("presence-room", {"user_id": "ann"})
        library = pusher.Pusher("3", KEY, SECRET, ssl=False, host="127.0.0.1", port=server.port)

        def use() -> tuple[Any, ...]:
            return (
                library.trigger(["presence-room", "b"], "event", {"a": "é"}),
                library.trigger_batch([{"channel": "presence-room", "name": "batched", "data": {"b": 2}}]),
                library.channels_info("presence-", ["user_count"]),
                library.channel_info("presence-room", ["user_count"]),
                library.users_info("presence-room"),
                library.terminate_user_connections("ann"),
            )

        assert await asyncio.to_thread(use) == (
            {},
            {},
            {"channels": {"presence-room": {"user_count": 1}}},
            {"occupied": True, "user_count": 1},
            {"users": [{"id": "ann"}]},
            {},
        )
        assert json.loads((await client.expect("event"))["data"]) == {"a": "é"}
        assert json.loads((await client.expect("batched"))["data"]) == {"b": 2}
        await client.expect_end()


async def test_the_official_python_library_understands_a_refusal(serve: Serve) -> None:
    async with serve(app(id="3", enabled=False)) as server:
        library = pusher.Pusher("3", KEY, SECRET, ssl=False, host="127.0.0.1", port=server.port)
        with pytest.raises(PusherForbidden, match="disabled"):
            await asyncio.to_thread(lambda: library.trigger("a", "event", "x"))


async def test_trigger_publishes_one_event_to_one_or_more_channels(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        for channel in ("a", "b", "c"):
            await client.subscribe(channel)
        await ApiClient(server.port).trigger("a", "one")
        assert (await client.expect("event"))["channel"] == "a"
        await ApiClient(server.port).post("/events", {"name": "event", "channels": ["b", "c"], "data": "two"})
        assert {(await client.expect("event"))["channel"] for _ in range(2)} == {"b", "c"}


async def test_batch_publishes_multiple_events_in_a_single_request(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("a")
        events = [{"name": f"event-{number}", "channel": "a", "data": str(number)} for number in range(3)]
        answer = await ApiClient(server.port).post("/batch_events", {"batch": events})
        assert (answer.status, answer.json()) == (200, {})
        for number in range(3):
            assert await client.receive() == {"event": f"event-{number}", "channel": "a", "data": str(number)}


async def test_channel_information_tells_of_channels_and_their_subscribers(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("presence-room", {"user_id": "ann"})
        await server.settled()
        api = ApiClient(server.port)
        assert await api.channels() == {"presence-room": {}}
        assert (await api.get("/channels/presence-room", info="subscription_count")).json() == {
            "occupied": True,
            "subscription_count": 1,
        }
        assert (await api.get("/channels/presence-room/users")).json() == {"users": [{"id": "ann"}]}


async def test_user_management_terminates_the_sessions_of_a_user(serve: Serve) -> None:
    async with serve(USERS) as server, PusherClient(server.port) as client:
        await client.sign_in("ann")
        await client.expect("pusher:signin_success")
        answer = await ApiClient(server.port, "3").post(USER_PATH, {})
        assert (answer.status, answer.json()) == (200, {})
        assert await client.expect_end() == (4009, "User terminated by app.")


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "text/plain", None])
async def test_a_json_body_is_taken_whatever_the_content_type_says(serve: Serve, content_type: str | None) -> None:
    body = b'{"name":"e","channel":"news","data":"x"}'
    headers = {} if content_type is None else {"Content-Type": content_type}
    async with serve() as server:
        target = ApiClient(server.port).target("POST", "/events", body)
        assert (await http(server.port, "POST", target, body, headers)).status == 200


async def test_a_success_is_200_with_a_json_object(serve: Serve) -> None:
    event = {"name": "e", "channel": "a", "data": "x"}
    async with serve() as server:
        api = ApiClient(server.port)
        for answer in (
            await api.post("/events", event),
            await api.post("/batch_events", {"batch": [event]}),
            await api.get("/channels"),
            await api.get("/channels/a"),
            await api.get("/channels/presence-a/users"),
            await api.post(USER_PATH),
            await api.get("/channels/a/stats"),
        ):
            assert answer.status == 200
            assert answer.headers["content-type"] == "application/json"
            assert isinstance(answer.json(), dict)


async def test_a_deprecated_publish_is_202(serve: Serve) -> None:
    async with serve() as server:
        answer = await ApiClient(server.port).request("POST", f"/apps/{APP_ID}/channels/a/events", b"x", {"name": "e"})
        assert (answer.status, answer.body) == (202, b"")


async def test_publishing_answers_with_an_empty_object(serve: Serve) -> None:
    event = {"name": "e", "channel": "a", "data": "x"}
    async with serve() as server:
        assert (await ApiClient(server.port).post("/events", event)).body == b"{}"
        assert (await ApiClient(server.port).post("/batch_events", {"batch": [event]})).body == b"{}"


async def test_400_is_for_invalid_parameters_and_bodies(serve: Serve) -> None:
    async with serve() as server:
        api = ApiClient(server.port)
        (await api.post("/events", b"{")).error(400)
        (await api.post("/events", {"name": "e", "channel": "a"})).error(400)
        (await api.get("/channels", info="user_count")).error(400)


async def test_401_is_for_an_invalid_signature_and_an_unknown_key(serve: Serve) -> None:
    async with serve() as server:
        (await ApiClient(server.port, secret="wrong").get("/channels")).error(401)
        (await ApiClient(server.port, key="unknown").get("/channels")).error(401)


async def test_403_is_for_a_disabled_app(serve: Serve) -> None:
    async with serve(app(enabled=False)) as server:
        event = {"name": "e", "channel": "a", "data": "x"}
        assert "disabled" in (await ApiClient(server.port).post("/events", event)).error(403)
        (await ApiClient(server.port).get("/channels")).error(403)
        (await ApiClient(server.port).post(USER_PATH)).error(403)


async def test_403_is_for_publishing_to_too_many_channels(serve: Serve) -> None:
    async with serve() as server:
        channels = [f"c{number}" for number in range(101)]
        text = (await ApiClient(server.port).post("/events", {"name": "e", "channels": channels, "data": "x"})).error(
            403
        )
        assert "101" in text
        assert "100" in text
        assert "max_event_channels_at_once" in text
        answer = await ApiClient(server.port).post("/events", {"name": "e", "channels": channels[:100], "data": "x"})
        assert answer.status == 200


async def test_404_is_for_an_app_that_does_not_exist(serve: Serve) -> None:
    async with serve() as server:
        assert (await ApiClient(server.port, "unknown").get("/channels")).error(404) == "Application not found."
        (await http(server.port, "GET", "/apps/unknown/channels")).error(404)


async def test_a_nonexistent_channel_is_404_where_that_is_wanted(serve: Serve) -> None:
    async with serve(http_api={"unknown_channel_not_found": True}) as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        await server.settled()
        api = ApiClient(server.port)
        assert (await api.get("/channels/news")).json() == {"occupied": True}
        assert "unknown_channel_not_found" in (await api.get("/channels/nobody")).error(404)
        (await api.get("/channels/presence-nobody/users")).error(404)
        # Publishing needs no subscribers.
        await api.trigger("nobody", "x")


async def test_413_is_for_a_body_above_the_limit(serve: Serve) -> None:
    async with serve(http_api={"request_limit_in_mb": 1}) as server:
        body = b" " * (1024 * 1024 + 1)
        text = (await ApiClient(server.port).post("/events", body)).error(413)
        assert "1048576 bytes" in text
        assert "http_api.request_limit_in_mb" in text


async def test_requests_are_limited_if_that_is_configured(serve: Serve) -> None:
    limiter: dict[str, Any] = {"enabled": True, "api_rate_limit": {"max_requests": 2, "window_seconds": 60}}
    async with serve(rate_limiter=limiter) as server:
        api = ApiClient(server.port)
        assert [(await api.get("/channels")).status for _ in range(3)] == [200, 200, 429]
        (await api.get("/channels")).error(429)
    async with serve() as server:
        api = ApiClient(server.port)
        assert {(await api.get("/channels")).status for _ in range(150)} == {200}
