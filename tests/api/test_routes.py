from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.api.cors import Cors
from sockudo.api.messages import EMPTY_OBJECT
from sockudo.node.memory import Memory
from tests.clients.api import Api, error_of, header, json_of
from tests.clients.signing import query_string, signed_params
from tests.fakes.node import KEY, SECRET, make_app
from tests.support.properties import THOROUGH

EVENT = {"name": "e", "channel": "news", "data": "d"}
SIGNED = [
    ("POST", "/apps/1/events"),
    ("POST", "/apps/1/batch_events"),
    ("GET", "/apps/1/channels"),
    ("GET", "/apps/1/channels/news"),
    ("GET", "/apps/1/channels/presence-x/users"),
    ("GET", "/apps/1/channels/news/stats"),
    ("POST", "/apps/1/channels/news/events"),
    ("POST", "/apps/1/users/7/terminate_connections"),
    ("POST", "/apps/1/users/7/force_reconnect"),
]
PROBES = ["/", "/up", "/up/1", "/usage", "/live", "/ready", "/accept-traffic"]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.mark.parametrize(("method", "path"), SIGNED)
def test_every_route_of_an_app_is_signed(api: Api, method: str, path: str) -> None:
    assert error_of(api.raw(method, path))[0] == 401
    assert api.signed(method, path).status not in (401, 404, 405, 500)


@pytest.mark.parametrize(("method", "path"), SIGNED)
def test_an_unknown_app_is_404_before_its_signature_is_checked(api: Api, method: str, path: str) -> None:
    path = path.replace("1", "unknown")
    assert error_of(api.raw(method, path)) == (404, "Application not found.")
    assert error_of(api.signed(method, path)) == (404, "Application not found.")


@pytest.mark.parametrize(("method", "path"), SIGNED)
def test_the_key_of_one_app_opens_nothing_of_another(method: str, path: str) -> None:
    api = Api(make_app(), make_app(id="other", key="other-key", secret="other-secret"))
    assert error_of(api.signed(method, path, key="other-key", secret="other-secret"))[0] == 401
    assert error_of(api.signed(method, path.replace("1", "other")))[0] == 401


@pytest.mark.parametrize(("method", "path"), SIGNED)
def test_a_disabled_app_is_403(method: str, path: str) -> None:
    api = Api(make_app(enabled=False))
    assert error_of(api.signed(method, path)) == (403, "Forbidden: Application is disabled.")
    assert error_of(api.raw(method, path))[0] == 401


@pytest.mark.parametrize(
    "path",
    [
        "",
        "*",
        "/live/more",
        "/accept-traffic/more",
        "/apps",
        "/apps/1",
        "/apps/1/",
        "/apps/1/unknown",
        "/apps/1/channels/news/unknown",
        "/apps/1/channels/news/users/more",
        "/apps/1/users/7",
        "/apps/1/events//",
        "/apps//1/events",
        "/APPS/1/events",
        "/stats",
        "/metrics",
        "/up/1/more",
        "/usage/more",
        "/app",
        "/app/key/more",
    ],
)
def test_an_unknown_path_is_404_with_a_json_body(api: Api, path: str) -> None:
    assert error_of(api.signed("GET", path)) == (404, "Not found: no such path")


@pytest.mark.parametrize(("method", "path"), [*SIGNED, *(("GET", path) for path in PROBES)])
def test_a_wrong_method_is_405_and_allow_names_the_others(api: Api, method: str, path: str) -> None:
    for wrong in ("PUT", "DELETE", "PATCH", "GET" if method == "POST" else "POST"):
        response = api.signed(wrong, path)
        assert error_of(response) == (405, "Method not allowed")
        assert header(response, "Allow") == ("POST, OPTIONS" if method == "POST" else "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path in SIGNED if method == "GET"])
def test_head_is_answered_like_get_with_its_own_signature(api: Api, method: str, path: str) -> None:
    head, get = api.signed("HEAD", path), api.signed(method, path)
    assert (head.status, head.body) == (get.status, get.body)


@pytest.mark.parametrize("path", PROBES)
def test_probes_need_no_signature_and_answer_head(api: Api, path: str) -> None:
    assert api.raw("GET", path).status == 200
    assert api.raw("HEAD", path).status == 200


def test_one_slash_at_the_end_need_not_be_signed(api: Api) -> None:
    now = int(api.world.clock.now())
    query = query_string(signed_params("GET", "/apps/1/channels", {}, key=KEY, secret=SECRET, timestamp=now))
    for path in ("/apps/1/channels", "/apps/1/channels/"):
        assert api.raw("GET", path, query).status == 200
    assert api.raw("GET", "/up/").status == 200
    assert api.raw("GET", "/usage/").status == 200


def test_the_path_of_the_websocket_says_what_it_is_for(api: Api) -> None:
    status, text = error_of(api.raw("GET", "/app/app-key"))
    assert (status, "This path is a WebSocket" in text) == (400, True)


def test_terminating_works_without_the_app_in_the_path() -> None:
    api = Api(make_app(enable_user_authentication=True))
    client = api.world.connect()
    client.sign_in("7")
    assert api.signed("POST", "/users/7/terminate_connections", b"{}") is EMPTY_OBJECT
    assert not client.connection.is_open


def test_a_path_without_an_app_needs_a_known_key(api: Api) -> None:
    path = "/users/7/terminate_connections"
    assert error_of(api.raw("POST", path)) == (401, "Authentication failed: auth_key is missing or unknown.")
    assert error_of(api.signed("POST", path, key="unknown"))[0] == 401
    assert error_of(api.signed("POST", path, secret="wrong"))[0] == 401
    assert error_of(api.signed("GET", path))[0] == 405


def test_an_app_id_may_be_escaped() -> None:
    api = Api(make_app(id="my app"))
    assert json_of(api.signed("GET", "/apps/my%20app/channels")) == {"channels": {}}
    assert api.raw("GET", "/up/my%20app").status == 200


def test_everything_is_under_the_prefix() -> None:
    api = Api(prefix="/realtime")
    assert api.post("/events", EVENT) is EMPTY_OBJECT
    assert api.signed("POST", "/realtime/users/7/terminate_connections") is EMPTY_OBJECT
    assert api.raw("GET", "/realtime/up").status == 200
    assert error_of(api.raw("GET", "/realtime/app/app-key"))[0] == 400


def test_outside_the_prefix_there_are_only_probes() -> None:
    api = Api(prefix="/realtime")
    for path in (
        "/apps/1/channels",
        "/users/7/terminate_connections",
        "/app/app-key",
        "/realtimeapps",
    ):
        status, text = error_of(api.signed("GET", path))
        assert (status, "paths begin with /realtime (path_prefix)" in text) == (404, True)
    assert error_of(api.raw("GET", "*"))[0] == 404
    for path in PROBES:
        assert api.raw("GET", path).status == api.raw("GET", "/realtime" + path).status == 200
    assert api.raw("GET", "/realtime").body == b"OK"
    assert error_of(api.signed("GET", "/upload"))[0] == 404


@pytest.mark.parametrize("path", ["/apps/1/events", "/unknown", "/up", "/app/app-key"])
def test_any_options_request_is_a_preflight(api: Api, path: str) -> None:
    response = api.raw("OPTIONS", path, headers={"Origin": "https://a.io"})
    assert (response.status, response.body) == (200, b"")
    assert header(response, "Access-Control-Allow-Methods") == "GET,POST"
    assert header(response, "Access-Control-Allow-Headers") == "content-type"


def test_every_answer_to_a_listed_origin_names_that_origin() -> None:
    cors = Cors(["https://a.io"], ["GET"], [], credentials=True)
    api = Api(cors=cors, requests_per_minute=1)
    origin = {"Origin": "https://a.io"}
    statuses = []
    for method, path in (
        ("OPTIONS", "/x"),
        ("GET", "/up"),
        ("GET", "/unknown"),
        ("GET", "/apps/1/channels"),
        ("POST", "/up"),
    ):
        response = api.raw(method, path, headers=origin)
        statuses.append(response.status)
        assert header(response, "Access-Control-Allow-Origin") == "https://a.io"
        assert header(response, "Access-Control-Allow-Credentials") == "true"
        assert header(api.raw(method, path), "Access-Control-Allow-Origin") is None
    assert statuses == [200, 200, 404, 429, 405]


def test_requests_over_the_limit_of_an_address_are_429() -> None:
    api = Api(requests_per_minute=2)
    for remaining in ("1", "0"):
        response = api.get("/channels")
        assert response.status == 200
        assert header(response, "X-RateLimit-Limit") == "2"
        assert header(response, "X-RateLimit-Remaining") == remaining
        assert header(response, "X-RateLimit-Reset") == "60"
    response = api.get("/channels")
    status, text = error_of(response)
    assert (status, "The limit is 2 in 60 s (rate_limiter.api_rate_limit)" in text) == (429, True)
    assert header(response, "Retry-After") == "60"
    assert api.raw("GET", "/apps/1/channels", peer="192.0.2.2").status == 401
    api.world.clock.advance(60)
    assert api.get("/channels").status == 200


def test_refused_and_unknown_requests_count_and_tell_the_remainder() -> None:
    api = Api(requests_per_minute=3)
    assert header(api.raw("GET", "/apps/1/channels"), "X-RateLimit-Remaining") == "2"
    assert header(api.raw("GET", "/unknown"), "X-RateLimit-Remaining") == "1"
    assert header(api.raw("PUT", "/apps/1/events"), "X-RateLimit-Remaining") == "0"
    assert error_of(api.raw("GET", "/unknown"))[0] == 429


def test_probes_and_preflights_are_never_limited() -> None:
    api = Api(requests_per_minute=1)
    api.get("/channels")
    for _ in range(3):
        for path in PROBES:
            response = api.raw("GET", path)
            assert response.status == 200
            assert header(response, "X-RateLimit-Limit") is None
        assert api.raw("OPTIONS", "/apps/1/events").status == 200
    assert error_of(api.get("/channels"))[0] == 429


def test_without_a_limiter_nothing_is_told_of_limits(api: Api) -> None:
    assert header(api.get("/channels"), "X-RateLimit-Limit") is None


class Broken(Api):
    """An API whose memory cannot be read."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # the options are passed on as they came
        self.world.gauge._read = _fail


def _fail() -> Memory:
    raise RuntimeError("a secret detail")


def test_an_unexpected_failure_is_500_and_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    cors = Cors(["https://a.io"], ["GET"], [], credentials=False)
    for api in (Broken(cors=cors), Broken(cors=cors, requests_per_minute=10)):
        api.world.clock.advance(1)
        response = api.post("/events", EVENT)
        assert error_of(response) == (500, "Internal server error")
        assert b"secret" not in response.body
        assert "a secret detail" in capsys.readouterr().out
        assert api.get("/channels").status == 200


def test_a_parameter_that_is_not_utf8_is_400_not_500(api: Api) -> None:
    # A raw byte in the request line, as the server reads it.
    raw = {"name": "e", "data": b"\xff".decode("utf-8", "surrogateescape"), "channel": "news"}
    now = int(api.world.clock.now())
    params = signed_params("POST", "/apps/1/events", raw, key=KEY, secret=SECRET, timestamp=now)
    query = "&".join(f"{name}={value}" for name, value in params.items())
    assert error_of(api.raw("POST", "/apps/1/events", query)) == (
        400,
        "Invalid request: query parameter 'data' is not valid UTF-8",
    )


parts = st.sampled_from(["", "apps", "1", "channels", "events", "users", "up", "usage", "7", "news", "%", "%FF", "app"])


@THOROUGH
@given(
    st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS", "X"]),
    st.lists(parts | st.text(max_size=5), max_size=6),
    st.sampled_from(["", "/p"]),
    st.text(max_size=20),
    st.binary(max_size=20),
)
def test_any_request_is_answered_and_never_with_500(
    method: str, path: list[str], prefix: str, query: str, body: bytes
) -> None:
    api = Api(prefix=prefix)
    target = "/" + "/".join(path)
    for response in (
        api.raw(method, target, query, body),
        api.raw(method, prefix + target, query, body),
        api.signed(method, prefix + target, body),
    ):
        assert response.status != 500
        if response.status >= 400 and response.content_type == "application/json":
            error_of(response)
