"""The quick way of publishing and the general one: whatever comes, and however it is split, both do the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import pytest
from pusher.http import Request as LibraryRequest
from pusher.pusher_client import PusherClient

from sockudo.api.events import EventHandlers
from sockudo.apps.memory import MemoryAppManager
from sockudo.errors import DriverError
from sockudo.node.quotas import AppQuotas
from tests.clients.signing import sign
from tests.fakes.clock import FakeClock
from tests.fakes.http_socket import read_answers
from tests.fakes.node import KEY, SECRET
from tests.fakes.stack import Stack, StackClient
from tests.servers.server import app

NOW: Final = int(FakeClock().now())
EVENT: Final = {"name": "e", "channels": ["news", "private-a"], "data": '{"a":1}'}
SIGNED: Final = ("auth_key", "auth_timestamp", "auth_version", "body_md5")


class Post(NamedTuple):
    """One request: what is signed, and what is sent.

    Attributes:
        order: the parameters of the query, as they are sent.
        changed: parameters that are sent with other values than were signed.
    """

    body: bytes
    path: str = "/apps/1/events"
    order: tuple[str, ...] = (*SIGNED, "auth_signature")
    params: Mapping[str, str] = {}
    changed: Mapping[str, str] = {}
    headers: str = ""

    def encode(self) -> bytes:
        """Return the request as bytes."""
        params = {
            "auth_key": KEY,
            "auth_timestamp": str(NOW),
            "auth_version": "1.0",
            "body_md5": hashlib.md5(self.body).hexdigest(),
        } | dict(self.params)
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        params["auth_signature"] = sign(f"POST\n{self.path}\n{text}", SECRET)
        sent = params | dict(self.changed)
        names = (*self.order, *(name for name in params if name not in self.order))
        target = self.path + "?" + "&".join(f"{name}={sent[name]}" for name in names)
        head = f"POST {target} HTTP/1.1\r\nHost: x\r\n{self.headers}Content-Length: {len(self.body)}\r\n\r\n"
        return head.encode() + self.body


def event(**changes: Any) -> bytes:
    return json.dumps(EVENT | changes).encode()


PYTHON: Final = ("auth_key", "auth_signature", "auth_timestamp", "auth_version", "body_md5")
USUAL: Final = {
    "signature last": Post(event()),
    "signature sorted": Post(event(), order=PYTHON),
    "one channel": Post(b'{"name":"e","channel":"news","data":"x"}'),
    "nobody there": Post(event(channels=["empty"])),
    "cached": Post(event(channels=["cache-a"])),
    "to a user": Post(event(channels=["#server-to-user-ann"])),
    "without one": Post(event(socket_id="1.1")),
    "objects as data": Post(event(data={"a": [1, "ä"]})),
    "surrogates": Post(rb'{"name":"e","channel":"news","data":"\ud800 \u00e4"}'),
    "old enough": Post(event(), params={"auth_timestamp": str(NOW - 600)}),
    "prefix like": Post(event(), headers="X-Forwarded-For: 1.2.3.4\r\nOrigin: https://a.example\r\n"),
}
UNUSUAL: Final = {
    "another order": Post(event(), order=("body_md5", "auth_signature", "auth_key", "auth_version", "auth_timestamp")),
    "wrong signature": Post(event(), changed={"auth_signature": "0" * 64}),
    "short signature": Post(event(), changed={"auth_signature": "0"}),
    "wrong md5": Post(event(), changed={"body_md5": "0" * 32}),
    "upper-case md5": Post(event(), params={"body_md5": hashlib.md5(event()).hexdigest().upper()}),
    "wrong key": Post(event(), params={"auth_key": "other"}),
    "wrong version": Post(event(), params={"auth_version": "2.0"}),
    "expired": Post(event(), params={"auth_timestamp": str(NOW - 601)}),
    "early": Post(event(), params={"auth_timestamp": str(NOW + 601)}),
    "no time": Post(event(), params={"auth_timestamp": ""}),
    "long time": Post(event(), params={"auth_timestamp": "1" * 30}),
    "arabic time": Post(event(), params={"auth_timestamp": "\u0661"}),
    "escaped": Post(event(), changed={"auth_key": "app%2Dkey"}),
    "twice": Post(event(), order=(*SIGNED, "auth_signature", "auth_key")),
    "two signatures": Post(event(), order=("auth_key", "auth_signature", *SIGNED[1:], "auth_signature")),
    "more parameters": Post(event(), params={"info": "subscription_count"}),
    "event in the query": Post(b"{}", params={"name": "e", "channel": "news", "data": "x"}),
    "info": Post(event(info="subscription_count")),
    "unknown app": Post(event(), path="/apps/2/events"),
    "disabled app": Post(event(), path="/apps/off/events", params={"auth_key": "off-key"}),
    "slash": Post(event(), path="/apps/1/events/"),
    "two slashes": Post(event(), path="//apps/1/events"),
    "batch": Post(json.dumps({"batch": [{"name": "e", "channel": "news", "data": "x"}]}).encode()),
    "no body": Post(b""),
    "no json": Post(b"{"),
    "no name": Post(b'{"channel":"news","data":"x"}'),
    "no data": Post(b'{"name":"e","channel":"news"}'),
    "no channel": Post(b'{"name":"e","data":"x"}'),
    "bad channel": Post(event(channels=["a b"])),
    "many channels": Post(event(channels=[f"c{number}" for number in range(101)])),
    "long data": Post(event(data="x" * 11_000)),
    "large body": Post(event(data="x" * 11_000, channels=["news"]) + b" " * 20_000),
    "not utf-8": Post(b'{"name":"e","channel":"news","data":"\xff"}'),
    "nested": Post(b'{"name":"e","channel":"news","data":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "over quota": Post(event(), path="/apps/slow/events", params={"auth_key": "slow-key"}),
    "close": Post(event(), headers="Connection: close\r\n"),
    "signed otherwise": Post(event(), path="/apps/1/events", changed={"auth_timestamp": str(NOW - 1)}),
}
APPS: Final = (
    app(),
    app(id="off", key="off-key", enabled=False),
    app(id="slow", key="slow-key", max_backend_events_per_second=1),
)


class Outcome(NamedTuple):
    """What comes of a request: the answer, whether the socket ends, what a client gets, and what is counted."""

    answer: bytes
    is_closing: bool
    events: list[dict[str, Any]]
    counts: dict[str, list[int]]


class Side:
    """A server that goes one of the two ways, and who listens there."""

    def __init__(self, *, quick: bool, **changes: Any) -> None:
        self.stack = Stack(*APPS, cors={"origin": ["*"]}, **changes)
        self.quick = 0
        self.client: StackClient = self.stack.connect()
        for channel in ("news", "private-a", "cache-a"):
            self.client.subscribe(channel)
        publish = self.stack.front.publish_quickly
        assert publish is not None

        def counted(*parts: Any) -> Any:
            answer = publish(*parts)
            self.quick += answer is not None
            return answer

        self.stack.front.publish_quickly = counted if quick else None

    def outcome(self, parts: Sequence[bytes]) -> Outcome:
        """Feed a request in parts; return everything that comes of it."""
        transport = self.stack.socket()
        for part in parts:
            transport.feed(part)
            self.stack.clock.run_soon()
        totals = self.stack.node.hub.totals
        counts = {name: [totals[name].http_calls, totals[name].http_bytes_received] for name in ("1", "off", "slow")}
        return Outcome(bytes(transport.read()), transport.is_closing(), self.client.events(), counts)


@pytest.fixture
def sides() -> tuple[Side, Side]:
    return Side(quick=True), Side(quick=False)


@pytest.mark.parametrize("name", [*USUAL, *UNUSUAL])
def test_both_ways_do_the_same(name: str, sides: tuple[Side, Side]) -> None:
    quick, general = sides
    request = (USUAL | UNUSUAL)[name].encode()
    # The second one meets the quota, and whatever the first has left.
    for _ in range(2):
        assert quick.outcome([request]) == general.outcome([request])
    assert bool(quick.quick) == (name in USUAL or name in ("over quota", "close")), name


@pytest.mark.parametrize("name", [*USUAL, "wrong signature", "two signatures", "info", "no json", "over quota"])
def test_both_ways_do_the_same_wherever_a_request_is_split(name: str, sides: tuple[Side, Side]) -> None:
    request = (USUAL | UNUSUAL)[name].encode()
    quick, general = sides
    for at in range(1, len(request)):
        parts = [request[:at], request[at:]]
        assert quick.outcome(parts) == general.outcome(parts), at


KEEP_ALIVE: Final = (b"HTTP/1.1\r\n", b"HTTP/1.0\r\nConnection: keep-alive\r\n")
# What replaces what in a usual request, and how many heads are known after it.
HEADS: Final[Mapping[str, tuple[tuple[bytes, bytes], int]]] = {
    "usual": ((b"", b""), 1),
    "many fields": ((b"Host: x", b"Host: x\r\nUser-Agent: a\r\nAccept: */*\r\nX-Pusher-Library: b 1"), 1),
    "lower case": ((b"Content-Length", b"content-length"), 1),
    "blanks": ((b"Host: x", b"Host:   x  "), 1),
    "long": ((b"Host: x", b"Host: x\r\nA: " + b"a" * 1024), 0),
    "version 1.0": ((b"HTTP/1.1", b"HTTP/1.0"), 0),
    "version 1.0 that stays": (KEEP_ALIVE, 0),
    "version in a field": ((b"HTTP/1.1\r\n", b"HTTP/1.0\r\nConnection: keep-alive\r\nA: b HTTP/1.1\r\n"), 0),
    "that ends": ((b"Host: x", b"Host: x\r\nConnection: close"), 0),
    "upgrade": ((b"Host: x", b"Host: x\r\nConnection: upgrade\r\nUpgrade: h2c"), 1),
    "no host": ((b"Host: x\r\n", b""), 0),
    "two hosts": ((b"Host: x", b"Host: x\r\nHost: y"), 0),
    "two lengths": ((b"Host: x", b"Host: x\r\nContent-Length: 63"), 0),
    "expects": ((b"Host: x", b"Host: x\r\nExpect: 100-continue"), 0),
    "line feeds": ((b"Host: x\r\n", b"Host: x\n"), 0),
    "blank lines before": ((b"POST", b"\r\nPOST"), 0),
    "another method": ((b"POST", b"PUT"), 0),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_came_before_is_read_alike(name: str, sides: tuple[Side, Side]) -> None:
    change, known = HEADS[name]
    events = [event(data=data) for data in ("abc", "xyz", "abc", "longer")]
    for body in (*events, event(data="abc")[:-1] + b"!", b"{" + b" " * (len(events[0]) - 1)):
        request = Post(body).encode().replace(*change, 1)
        outcomes = [side.outcome([request]) for side in sides]
        assert outcomes[0] == outcomes[1]
        # Not alone in its read, and not whole.
        for parts in ([request * 2], [request + b"\r\n"], [request[:-1], request[-1:]], [request[:-9]]):
            outcomes = [side.outcome(parts) for side in sides]
            assert outcomes[0] == outcomes[1]
    quick, general = sides
    # Bodies of two lengths were published.
    assert len(quick.stack.front.known_heads) == 2 * known
    assert len(general.stack.front.known_heads) == 0


def test_a_known_head_is_read_in_order_behind_what_waits(sides: tuple[Side, Side]) -> None:
    request = Post(event()).encode()
    for side in sides:
        side.outcome([request])
    large = b"POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + b" " * 20_000
    outcomes = [side.outcome([large + request, request, request]) for side in sides]
    assert outcomes[0] == outcomes[1]


def test_requests_in_a_row_are_answered_in_order(sides: tuple[Side, Side]) -> None:
    posts = [*USUAL.values(), UNUSUAL["info"], UNUSUAL["wrong signature"], *USUAL.values()]
    request = b"".join(post.encode() for post in posts)
    outcomes = [side.outcome([request]) for side in sides]
    assert outcomes[0] == outcomes[1]


def test_the_official_python_library_takes_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW))
    client = PusherClient(app_id="1", key=KEY, secret=SECRET, host="x", ssl=False)
    made = LibraryRequest(client, "POST", "/apps/1/events", EVENT)
    head = f"POST {made.signed_path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(made.body)}\r\n\r\n"
    side = Side(quick=True)
    side.outcome([head.encode() + made.body])
    assert side.quick == 1


def test_a_server_that_looks_at_headers_has_no_quick_way() -> None:
    assert Stack(app(), cors={"origin": ["https://a.example"]}).front.publish_quickly is None


@pytest.mark.parametrize("hops", [0, 1])
def test_both_ways_count_the_same_against_a_rate_limit(hops: int) -> None:
    limit = {"max_requests": 40, "window_seconds": 60, "trust_hops": hops}
    limiter = {"enabled": True, "driver": "memory", "api_rate_limit": limit}
    quick, general = (Side(quick=way, rate_limiter=limiter) for way in (True, False))
    for name, post in [*USUAL.items(), *UNUSUAL.items(), *USUAL.items()]:
        assert quick.outcome([post.encode()]) == general.outcome([post.encode()]), name
    # The last ones were too many.
    assert b" 429 " in quick.outcome([Post(event()).encode()]).answer
    assert quick.quick > len(USUAL)


def test_a_configured_prefix_is_part_of_the_quick_way() -> None:
    stack = Stack(app(), path_prefix="/rt")
    transport = stack.socket()
    for path in ("/rt/apps/1/events", "/apps/1/events"):
        transport.feed(Post(event(), path=path).encode())
        stack.clock.run_soon()
    assert [answer.status for answer in read_answers(transport.read())] == [200, 404]


def test_a_failure_while_publishing_is_answered_with_500(
    monkeypatch: pytest.MonkeyPatch, sides: tuple[Side, Side]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(EventHandlers, "send", fail)
    quick, general = (side.outcome([Post(event()).encode()]) for side in sides)
    assert quick == general
    assert quick.answer.startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize("limiter", [{}, {"enabled": True, "driver": "memory"}])
def test_a_quota_that_cannot_be_counted_is_answered_alike(
    monkeypatch: pytest.MonkeyPatch, limiter: dict[str, Any]
) -> None:
    def fail(*_: object) -> None:
        raise DriverError("another worker hangs while it counts")

    monkeypatch.setattr(AppQuotas, "take_events", fail)
    sides = (Side(quick=way, rate_limiter=limiter) for way in (True, False))
    quick, general = (side.outcome([Post(event()).encode()]) for side in sides)
    assert quick == general
    assert quick.answer.startswith(b"HTTP/1.1 503 ")


def test_no_unknown_app_is_looked_up_beyond_a_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = {"max_requests": 3, "window_seconds": 60}
    side = Side(quick=True, rate_limiter={"enabled": True, "driver": "memory", "api_rate_limit": limit})
    asked: list[str] = []

    def by_id(_: MemoryAppManager, name: str) -> None:
        asked.append(name)

    monkeypatch.setattr(MemoryAppManager, "by_id", by_id)
    for number in range(20):
        side.outcome([Post(event(), path=f"/apps/guess{number}/events").encode()])
    assert asked == ["guess0", "guess1", "guess2"]
