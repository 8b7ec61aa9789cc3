"""The door: which requests become WebSockets, and how the others are answered."""

from __future__ import annotations

import json

import pytest

from tests.clients.signing import query_string, signed_params
from tests.fakes.eventual import AskedAppManager
from tests.fakes.http_socket import read_answers
from tests.fakes.node import KEY, SECRET, make_app
from tests.fakes.stack import Stack, upgrade
from tests.fakes.transport import FakeTransport
from tests.servers.server import app


def ask(stack: Stack, data: bytes) -> tuple[int, dict[str, str], str]:
    """Return status, headers and error of the one answer."""
    transport = stack.socket()
    transport.feed(data)
    (answer,) = read_answers(transport.read())
    is_json = answer.headers.get("content-type") == "application/json"
    return answer.status, answer.headers, json.loads(answer.body).get("error", "") if is_json else ""


def opens(transport: FakeTransport) -> bool:
    return transport.read().startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    "path",
    [
        "/app/app-key",
        "/app/app-key/",
        "/app/app%2Dkey",
        "/app/app-key?protocol=7&x=%zz",
        "//app/app-key?protocol=7",
        "http://elsewhere/app/app-key?protocol=7",
        "ws://elsewhere:6001//app/app-key",
    ],
)
def test_an_upgrade_of_an_app_opens_a_websocket(path: str) -> None:
    stack = Stack()
    transport = stack.socket()
    transport.feed(upgrade().replace(b"/app/app-key", path.encode()))
    stack.clock.run_soon()
    assert opens(transport)
    assert len(list(stack.node.hub.connections())) == 1


def test_the_path_prefix_comes_before_app() -> None:
    stack = Stack(path_prefix="/rt")
    inside, outside = stack.socket(), stack.socket()
    inside.feed(upgrade().replace(b"/app/", b"/rt/app/"))
    outside.feed(upgrade())
    assert opens(inside)
    assert read_answers(outside.read())[0].status == 404


@pytest.mark.parametrize("path", ["/app/", "/app", "/app//", "/app/a/b", "/other", "/up"])
def test_an_upgrade_to_anything_else_is_answered_without_opening(path: str) -> None:
    stack = Stack()
    status, _, _ = ask(stack, upgrade().replace(b"/app/app-key", path.encode()))
    assert status in ((200,) if path == "/up" else (400, 404))
    assert stack.front.websockets.open_count == 0


def test_an_app_without_an_upgrade_is_told_what_it_is() -> None:
    status, _, error = ask(Stack(), b"GET /app/app-key HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status, "WebSocket" in error) == (400, True)


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"GET ", b"POST ", 405),
        (b"Version: 13", b"Version: 8", 426),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"short", 400),
        (b"Sec-WebSocket-Version: 13\r\n", b"", 426),
        (b"Upgrade: websocket\r\n", b"Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400),
    ],
)
def test_a_bad_handshake_is_refused_with_its_reason_and_ended(old: bytes, new: bytes, status: int) -> None:
    stack = Stack()
    got, headers, error = ask(stack, upgrade().replace(old, new) + b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (got, headers["connection"], bool(error)) == (status, "close", True)
    assert stack.front.websockets.open_count == 0


@pytest.mark.parametrize("key", ["nobody", "%00", "%ff", "%F0%9F%98%80", "app-key%2fx", "a" * 5000])
def test_an_unknown_key_is_refused_over_websocket_and_never_repeated(key: str) -> None:
    stack = Stack()
    client = stack.connect(key)
    error, close = client.frames_before
    assert (error["data"]["code"], close["close"]) == (4001, 4001)
    assert key[:20] not in error["data"]["message"]


@pytest.mark.parametrize(("version", "code"), [("3", 4007), ("x", 4006), ("%ff", 4006), ("9" * 5000, 4007)])
def test_a_bad_protocol_version_is_told_so_over_the_websocket(version: str, code: int) -> None:
    client = Stack().connect(f"app-key?protocol={version}")
    assert client.frames_before[-1]["close"] == code


def test_new_connections_have_a_rate_limit_of_their_own() -> None:
    stack = Stack(
        rate_limiter={
            "enabled": True,
            "websocket_rate_limit": {"max_requests": 2, "window_seconds": 60},
            "api_rate_limit": {"max_requests": 100, "window_seconds": 60},
        }
    )
    for _ in range(2):
        transport = stack.socket()
        transport.feed(upgrade())
        assert opens(transport)
    status, headers, error = ask(stack, upgrade())
    assert (status, headers["connection"]) == (429, "close")
    assert "websocket_rate_limit" in error
    assert int(headers["retry-after"]) > 0
    assert ask(stack, b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 200


def test_sockets_that_are_gone_return_their_quota_of_connections() -> None:
    stack = Stack(app(max_connections=1))
    for _ in range(3):
        client = stack.connect()
        assert client.socket_id
        refused = stack.connect()
        assert refused.frames_before[-1]["close"] == 4004
        client.transport.reset()
        stack.clock.run_soon()


def test_draining_ends_idle_sockets_and_refuses_new_websockets() -> None:
    stack = Stack()
    idle, asking = stack.socket(), stack.socket()
    idle.feed(b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n")
    asking.feed(b"GET /up HTTP/1.1\r\n")
    stack.node.is_draining = True
    told: list[str] = []
    stack.front.drain(lambda: told.append("idle"))
    assert not idle.is_closing()
    stack.front.close_idle()
    assert idle.is_closing()
    assert not asking.is_closing()
    asking.feed(b"Host: x\r\n\r\n")
    assert read_answers(asking.read())[0].status == 503
    assert asking.is_closing()
    stack.clock.run_soon()
    assert told == ["idle"]
    assert stack.connect().frames_before[-1]["close"] == 4200


LARGE_HEAD = b"POST /apps/1/events?auth_key=app-key HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n"


@pytest.mark.parametrize(("known", "status"), [(False, 404), (True, 401)])
async def test_no_large_body_is_read_while_its_app_is_unknown(known: bool, status: int) -> None:
    apps = AskedAppManager()
    stack = Stack(stores={"apps": apps})
    transport = stack.socket()
    transport.feed(LARGE_HEAD + b"x" * 3000)
    assert apps.questions.open == ["1"]
    assert not transport.is_reading()
    await apps.questions.answer(make_app() if known else None)
    (answer,) = read_answers(transport.read())
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    assert stack.front.bodies.taken == 0


async def test_a_large_body_of_a_database_app_is_published() -> None:
    apps = AskedAppManager()
    stack = Stack(stores={"apps": apps})
    body = json.dumps({"name": "e", "channel": "news", "data": "x"}).encode().ljust(50_000)
    now = int(stack.clock.now())
    path = "/apps/1/events"
    query = query_string(signed_params("POST", path, {}, body=body, key=KEY, secret=SECRET, timestamp=now))
    transport = stack.socket()
    transport.feed(f"POST {path}?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode())
    await apps.questions.answer(make_app())
    assert stack.front.bodies.taken == len(body)
    transport.feed(body)
    assert [answer.status for answer in read_answers(transport.read())] == [200]
    assert stack.front.bodies.taken == 0
