"""Authentication of the HTTP API beyond what the overview page says: the quirks of real libraries, and attacks."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from urllib.parse import quote

import pytest

from tests.clients.client import ApiClient, PusherClient, http, signature
from tests.servers.nodes import Serve
from tests.servers.server import APP_ID, KEY, app

EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"
EVENT = b'{"name":"e","channel":"a","data":"x"}'

ROUTES = [
    ("POST", "/events", EVENT),
    ("POST", "/batch_events", b'{"batch":[{"name":"e","channel":"a","data":"x"}]}'),
    ("GET", "/channels", b""),
    ("HEAD", "/channels", b""),
    ("GET", "/channels/a", b""),
    ("GET", "/channels/presence-a/users", b""),
    ("POST", "/users/ann/terminate_connections", b"{}"),
    ("POST", "/channels/a/events", b"x"),
    ("GET", "/channels/a/stats", b""),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_a_valid_key_of_one_app_cannot_act_on_another(serve: Serve, method: str, path: str, body: bytes) -> None:
    apps = app(), app(id="other", key="other-key", secret="other-secret", enable_user_authentication=True)
    async with serve(*apps) as server, PusherClient(server.port, "other-key", "other-secret") as client:
        await client.sign_in("ann")
        await client.expect("pusher:signin_success")
        await client.subscribe("a")
        # Ours is a good signature, for the wrong app.
        intruder = ApiClient(server.port, "other")
        answer = await http(server.port, method, intruder.target(method, path, body, {"name": "e"}), body)
        assert answer.status == 401
        if method != "HEAD":
            answer.error(401)
        await client.expect_nothing()


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_every_route_takes_its_own_apps_key(serve: Serve, method: str, path: str, body: bytes) -> None:
    async with serve() as server:
        target = ApiClient(server.port).target(method, path, body, {"name": "e"})
        assert (await http(server.port, method, target, body)).status in (200, 202)


async def test_two_apps_with_one_secret_are_still_two_apps(serve: Serve) -> None:
    async with serve(app(), app(id="other", key="other-key")) as server:
        (await ApiClient(server.port, "other").get("/channels")).error(401)
        (await ApiClient(server.port, APP_ID, "other-key").get("/channels")).error(401)
        assert (await ApiClient(server.port, "other", "other-key").get("/channels")).status == 200


def target(
    method: str, path: str, params: Mapping[str, str], signed_path: str | None = None, signed: str | None = None
) -> str:
    """Return a target with a signature over `signed` (or the sorted parameters)."""
    text = signed or "&".join(f"{name}={params[name]}" for name in sorted(params))
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in params.items())
    made = signature("\n".join([method, signed_path or path, text]))
    return f"{path}?{query}&auth_signature={made}"


def auth(**more: str) -> dict[str, str]:
    return {"auth_key": KEY, "auth_timestamp": str(int(time.time())), "auth_version": "1.0"} | more


PATH = f"/apps/{APP_ID}/channels"


async def test_a_get_may_carry_the_md5_of_its_empty_body(serve: Serve) -> None:
    async with serve() as server:
        assert (await http(server.port, "GET", target("GET", PATH, auth(body_md5=EMPTY_MD5)))).status == 200


async def test_the_md5_of_another_body_is_refused_on_a_get(serve: Serve) -> None:
    async with serve() as server:
        wrong = hashlib.md5(b"x").hexdigest()
        assert "body_md5" in (await http(server.port, "GET", target("GET", PATH, auth(body_md5=wrong)))).error(401)


async def test_an_md5_that_is_not_signed_is_refused(serve: Serve) -> None:
    async with serve() as server:
        unsigned = target("GET", PATH, auth()) + f"&body_md5={EMPTY_MD5}"
        (await http(server.port, "GET", unsigned)).error(401)


@pytest.mark.parametrize("md5", [None, EMPTY_MD5])
async def test_a_post_without_a_body_may_omit_the_md5(serve: Serve, md5: str | None) -> None:
    path = f"/apps/{APP_ID}/users/ann/terminate_connections"
    params = auth() if md5 is None else auth(body_md5=md5)
    async with serve() as server:
        assert (await http(server.port, "POST", target("POST", path, params))).status == 200


@pytest.mark.parametrize("signed_path", [PATH, PATH + "/"])
async def test_a_trailing_slash_may_be_signed_or_not(serve: Serve, signed_path: str) -> None:
    async with serve() as server:
        answer = await http(server.port, "GET", target("GET", PATH + "/", auth(), signed_path=signed_path))
        assert answer.status == 200
        refused = await http(server.port, "GET", target("GET", PATH, auth(), signed_path=PATH + "/"))
        assert "Invalid signature" in refused.error(401)


@pytest.mark.parametrize("signed_prefix", ["", "/prefix"])
async def test_a_prefix_and_a_trailing_slash_may_be_signed_together(serve: Serve, signed_prefix: str) -> None:
    async with serve(path_prefix="/prefix") as server:
        for signed_path in (PATH, PATH + "/"):
            sent = target("GET", "/prefix" + PATH + "/", auth(), signed_path=signed_prefix + signed_path)
            assert (await http(server.port, "GET", sent)).status == 200


async def test_an_event_may_be_signed_with_a_trailing_slash(serve: Serve) -> None:
    body = b'{"name":"e","channel":"news","data":"x"}'
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        answer = await ApiClient(server.port).request("POST", f"/apps/{APP_ID}/events/", body)
        assert answer.status == 200
        assert (await client.expect("e"))["data"] == "x"


async def test_names_of_parameters_are_signed_in_lower_case(serve: Serve) -> None:
    params = {"Info": "occupied"} | auth()
    lowered = "&".join(f"{name.lower()}={params[name]}" for name in sorted(params, key=str.lower))
    async with serve() as server:
        answer = await http(server.port, "GET", target("GET", PATH, params, signed=lowered))
        assert answer.status == 200


async def test_values_are_signed_unescaped(serve: Serve) -> None:
    params = auth(filter_by_prefix="Something else+ä&=%", info="subscription_count,occupied")
    async with serve() as server:
        assert (await http(server.port, "GET", target("GET", PATH, params))).status == 200


async def test_array_parameters_are_signed_by_last_value_or_comma_list(serve: Serve) -> None:
    path = f"/apps/{APP_ID}/events"
    async with serve() as server, PusherClient(server.port) as client:
        await client.subscribe("a")
        await client.subscribe("b")
        for signed_value in ("b", "a,b"):
            plain = auth(name="e", data="x")
            every = plain | {"channels[]": signed_value}
            text = "&".join(f"{name}={every[name]}" for name in sorted(every))
            query = "&".join(f"{name}={value}" for name, value in plain.items()) + "&channels[]=a&channels[]=b"
            made = signature(f"POST\n{path}\n{text}")
            answer = await http(server.port, "POST", f"{path}?{query}&auth_signature={made}")
            assert answer.status == 200, answer
            # Two channels have no order between them where they are on different servers of a bus.
            assert {(await client.expect("e"))["channel"] for _ in range(2)} == {"a", "b"}


@pytest.mark.parametrize("name", ["auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5"])
async def test_an_authentication_parameter_given_twice_is_400(serve: Serve, name: str) -> None:
    async with serve() as server:
        twice = target("GET", PATH, auth(body_md5=EMPTY_MD5)) + f"&{name}=x"
        assert name in (await http(server.port, "GET", twice)).error(400)


@pytest.mark.parametrize("stamp", ["", "now", "1.5", "-1", "0x10", "9" * 5000, "١٢٣"])
async def test_a_timestamp_that_is_no_number_of_seconds_is_401(serve: Serve, stamp: str) -> None:
    async with serve() as server:
        params = auth(auth_timestamp=stamp)
        assert "auth_timestamp" in (await http(server.port, "GET", target("GET", PATH, params))).error(401)


@pytest.mark.parametrize("change", ["upper", "cut", "empty", "not ascii"])
async def test_a_signature_that_is_nearly_right_is_401(serve: Serve, change: str) -> None:
    async with serve() as server:
        good = target("GET", PATH, auth())
        start, _, made = good.partition("auth_signature=")
        bad = {"upper": made.upper(), "cut": made[:-1], "empty": "", "not ascii": "%C3%A4%FF"}[change]
        (await http(server.port, "GET", f"{start}auth_signature={bad}")).error(401)


async def test_an_error_never_shows_the_expected_signature_or_the_secret(serve: Serve) -> None:
    async with serve() as server:
        good = target("GET", PATH, auth())
        text = (await http(server.port, "GET", good + "0")).error(401)
        assert good.rpartition("=")[2] not in text
        assert "app-secret" not in text


async def test_an_unknown_app_is_404_before_its_signature_is_checked(serve: Serve) -> None:
    async with serve() as server:
        for method, path, body in ROUTES:
            if method != "HEAD":
                (await http(server.port, method, f"/apps/unknown{path}", body)).error(404)


async def test_an_app_id_and_a_channel_may_be_percent_encoded(serve: Serve) -> None:
    async with serve(app(id="an app")) as server:
        answer = await ApiClient(server.port, "an%20app").get("/channels/presence%2Da%3Db")
        assert answer.json() == {"occupied": False}
