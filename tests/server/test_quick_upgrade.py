"""The quick way of opening WebSockets and the general one: whatever comes, however it is split, both do the same."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pytest

from sockudo.node import node
from tests.fakes.clock import FakeClock
from tests.fakes.eventual import AskedAppManager
from tests.fakes.node import make_app
from tests.fakes.stack import Stack
from tests.fakes.transport import FakeTransport
from tests.servers.server import app

KEY: Final = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
USUAL_HEADERS: Final = (
    "Host: localhost:6001",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    KEY,
)
BROWSER: Final = (
    "Host: ws.example.com",
    "Connection: Upgrade",
    "Pragma: no-cache",
    "Cache-Control: no-cache",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Upgrade: websocket",
    "Origin: https://a.example",
    "Sec-WebSocket-Version: 13",
    "Accept-Encoding: gzip, deflate, br",
    "Accept-Language: en-US,en;q=0.9",
    KEY,
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
)
TARGET: Final = "/app/app-key?protocol=7&client=js&version=8.6.0&flash=false"


def head(*headers: str, line: str = f"GET {TARGET} HTTP/1.1", end: str = "\r\n") -> bytes:
    """Return a request head."""
    return (end.join((line, *headers)) + end + end).encode("latin-1")


def changed(old: str, *new: str) -> bytes:
    """Return a handshake with other lines in place of the one that begins so."""
    found = [line for line in USUAL_HEADERS if line.startswith(old)]
    assert len(found) == 1
    at = USUAL_HEADERS.index(found[0])
    return head(*USUAL_HEADERS[:at], *new, *USUAL_HEADERS[at + 1 :])


def to(target: str, *headers: str) -> bytes:
    return head(*USUAL_HEADERS, *headers, line=f"GET {target} HTTP/1.1")


QUICK: Final = {
    "library": head(*USUAL_HEADERS),
    "browser": head(*BROWSER),
    "lower case": head(*(line.partition(":")[0].lower() + ":" + line.partition(":")[2] for line in USUAL_HEADERS)),
    "firefox": changed("Connection", "Connection: keep-alive, Upgrade"),
    "no blank": changed("Upgrade", "Upgrade:WebSocket"),
    "blanks": changed("Upgrade", "Upgrade:   websocket  "),
    "behind a proxy": head(*USUAL_HEADERS, "X-Forwarded-For: 192.0.2.7", "X-Request-Id: 4711"),
    "several extensions": head(
        *USUAL_HEADERS, "Sec-WebSocket-Extensions: mux, permessage-deflate; server_max_window_bits=9"
    ),
    "no extension that is known": head(*USUAL_HEADERS, "Sec-WebSocket-Extensions: x-webkit-deflate-frame"),
    "no protocol": to("/app/app-key"),
    "slash": to("/app/app-key/"),
    "two slashes": to("//app/app-key?protocol=7"),
    "escaped key": to("/app/app%2Dkey?protocol=7"),
    "old protocol": to("/app/app-key?protocol=4"),
    "wrong protocol": to("/app/app-key?protocol=3"),
    "no protocol number": to("/app/app-key?protocol=x"),
    "disabled": to("/app/off-key?protocol=7"),
    "allowed origin": to("/app/picky-key?protocol=7", "Origin: https://good.example"),
    "other origin": to("/app/picky-key?protocol=7", "Origin: https://bad.example"),
    "no origin": to("/app/picky-key?protocol=7"),
    "over quota": to("/app/full-key?protocol=7"),
}
# Where extensions are negotiated, heads that offer one go the general way.
EXTENSIONS: Final = {
    "two lines of extensions": head(
        *USUAL_HEADERS, "Sec-WebSocket-Extensions: mux", "Sec-WebSocket-Extensions: permessage-deflate"
    ),
    "malformed extensions": head(*USUAL_HEADERS, "Sec-WebSocket-Extensions: permessage-deflate;"),
}
GENERAL: Final = {
    "unknown app": to("/app/nobody?protocol=7"),
    "no app path": to("/apps/1/events"),
    "probe": to("/up"),
    "long": head(*USUAL_HEADERS, "X-Long: " + "x" * 5000),
    "too long": head(*USUAL_HEADERS, "X-Long: " + "x" * 20000),
    "fragment": to("/app/app-key?protocol=7#x"),
    "absolute": to("http://elsewhere/app/app-key?protocol=7"),
    "odd query": to("/app/app-key?protocol=7&x=[1]"),
    "http/1.0": head(*USUAL_HEADERS, line=f"GET {TARGET} HTTP/1.0"),
    "post": head(*USUAL_HEADERS, line=f"POST {TARGET} HTTP/1.1"),
    "no host": changed("Host"),
    "empty host": changed("Host", "Host:"),
    "two hosts": changed("Host", "Host: a", "Host: b"),
    "no upgrade": changed("Upgrade"),
    "h2c": changed("Upgrade", "Upgrade: h2c"),
    "two upgrades": changed("Upgrade", "Upgrade: websocket", "Upgrade: h2c"),
    "a list of upgrades": changed("Upgrade", "Upgrade: h2c, websocket"),
    "no connection": changed("Connection"),
    "other connection": changed("Connection", "Connection: keep-alive"),
    "another order": changed("Connection", "Connection: Upgrade, keep-alive"),
    "no version": changed("Sec-WebSocket-Version"),
    "version 8": changed("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"),
    "no key": changed("Sec-WebSocket-Key"),
    "short key": changed("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhl"),
    "odd key": changed("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!=="),
    "two keys": changed("Sec-WebSocket-Key", KEY, KEY),
    "two origins": head(*USUAL_HEADERS, "Origin: https://a.example", "Origin: https://b.example"),
    "body": head(*USUAL_HEADERS, "Content-Length: 5") + b"hello",
    "no body": head(*USUAL_HEADERS, "Content-Length: 0"),
    "chunks": head(*USUAL_HEADERS, "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "expect": head(*USUAL_HEADERS, "Expect: 100-continue"),
    "no colon": head(*USUAL_HEADERS, "X-Nothing"),
    "blank name": head(*USUAL_HEADERS, "X Y: 1"),
    "blank before the colon": changed("Host", "Host : x"),
    "folded": head(*USUAL_HEADERS, "X-Long: a", " b"),
    "control": head(*USUAL_HEADERS, "X-Odd: \x01"),
    "tab": changed("Upgrade", "Upgrade:\twebsocket"),
    "latin-1": head(*USUAL_HEADERS, "X-Name: \xe4"),
    "bare line feed": head(*USUAL_HEADERS, end="\n"),
    "bare return": head(*USUAL_HEADERS, "X-Odd: a\rb"),
    "line feed in a value": head(*USUAL_HEADERS, "X-Odd: a\nX-Other: b"),
    "empty line first": b"\r\n" + head(*USUAL_HEADERS),
    "a frame behind": head(*USUAL_HEADERS) + b"\x89\x80\0\0\0\0",
    "two requests": head("Host: x", line="GET /up HTTP/1.1") + head(*USUAL_HEADERS),
}
APPS: Final = (
    app(),
    app(id="off", key="off-key", enabled=False),
    app(id="picky", key="picky-key", allowed_origins=["https://good.example"]),
    app(id="full", key="full-key", max_connections=1),
)
SOCKET_ID: Final = re.compile(rb"\d{9}\.1")


class Outcome(NamedTuple):
    """What comes of a handshake: what is answered, whether the socket ends, and what the server counts."""

    answer: bytes
    is_closing: bool
    counts: list[object]


class Side:
    """A server that goes one of the two ways."""

    def __init__(self, *, quick: bool, **changes: Any) -> None:
        self.stack = Stack(*APPS, **changes)
        self.quick = 0
        upgrades = self.stack.front.quick_upgrades
        assert upgrades is not None
        read = upgrades.read

        def counted(data: bytes) -> Any:
            found = read(data)
            self.quick += found is not None
            return found

        upgrades.read = counted  # type: ignore[method-assign]  # counts, and does what it did
        if not quick:
            self.stack.front.quick_upgrades = None

    def outcome(self, parts: Sequence[bytes]) -> Outcome:
        """Feed bytes in parts; return what comes of them, up to the end of the socket."""
        transport = self.stack.socket()
        for part in parts:
            transport.feed(part)
            self.stack.clock.run_soon()
        seen = Outcome(SOCKET_ID.sub(b"ID", bytes(transport.read())), transport.is_closing(), self._counts())
        transport.reset()
        self.stack.clock.run_soon()
        return seen._replace(counts=seen.counts + self._counts())

    def _counts(self) -> list[object]:
        front, of_node = self.stack.front, self.stack.node
        totals = of_node.hub.totals
        by_app = [(totals[name].connections, dict(totals[name].errors)) for name in ("1", "off", "picky", "full")]
        return [front.open_count, of_node.counters.connections, of_node.counters.refused, by_app]


@pytest.fixture(autouse=True)
def ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every connection an id of the same length, since the length of a frame is a part of it."""
    numbers = itertools.count()
    monkeypatch.setattr(node, "new_socket_id", lambda: f"{next(numbers):09}.1")


@pytest.fixture
def sides() -> tuple[Side, Side]:
    return Side(quick=True), Side(quick=False)


@pytest.mark.parametrize("name", [*QUICK, *GENERAL])
def test_both_ways_do_the_same(name: str, sides: tuple[Side, Side]) -> None:
    quick, general = sides
    data = (QUICK | GENERAL)[name]
    for _ in range(2):
        assert quick.outcome([data]) == general.outcome([data])
    assert quick.quick == (2 if name in QUICK else 0)


@pytest.mark.parametrize("name", [*QUICK, *GENERAL, *EXTENSIONS])
def test_both_ways_agree_on_the_same_compression(name: str) -> None:
    compressing = {"websocket": {"compression": "shared"}}
    quick, general = Side(quick=True, **compressing), Side(quick=False, **compressing)
    data = (QUICK | GENERAL | EXTENSIONS)[name]
    for _ in range(2):
        assert quick.outcome([data]) == general.outcome([data])
    offers = b"sec-websocket-extensions" in data.lower()
    assert quick.quick == (2 if name in QUICK and not offers else 0)


@pytest.mark.parametrize("name", EXTENSIONS)
def test_extensions_are_not_looked_at_without_compression(name: str, sides: tuple[Side, Side]) -> None:
    quick, general = sides
    assert quick.outcome([EXTENSIONS[name]]) == general.outcome([EXTENSIONS[name]])
    assert quick.quick == 1


@pytest.mark.parametrize("name", [*QUICK, "a frame behind", "two requests", "body", "two hosts", "bare line feed"])
def test_both_ways_do_the_same_wherever_a_head_is_split(name: str, sides: tuple[Side, Side]) -> None:
    quick, general = sides
    data = (QUICK | GENERAL)[name]
    for at in range(1, len(data)):
        parts = [data[:at], data[at:]]
        assert quick.outcome(parts) == general.outcome(parts), at


def test_bytes_of_a_later_read_are_no_handshake(sides: tuple[Side, Side]) -> None:
    parts = [b"POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n", QUICK["library"]]
    assert sides[0].outcome(parts) == sides[1].outcome(parts)
    assert sides[0].quick == 0


def test_a_full_app_and_a_leaving_server_refuse_alike(sides: tuple[Side, Side]) -> None:
    outcomes = []
    for side in sides:
        kept = side.stack.socket()
        kept.feed(QUICK["over quota"])
        first = side.outcome([QUICK["over quota"]])
        side.stack.node.is_draining = True
        outcomes.append([first, side.outcome([QUICK["browser"]])])
    assert outcomes[0] == outcomes[1]
    assert b'"code":4100' in outcomes[0][1].answer or b"4200" in outcomes[0][1].answer


def test_many_targets_and_names_fill_no_table(sides: tuple[Side, Side]) -> None:
    side = sides[0]
    for number in range(3000):
        data = head(*USUAL_HEADERS, f"X-{number}: 1", line=f"GET /app/app-key?x={number} HTTP/1.1")
        side.outcome([data])
    assert side.quick == 3000
    upgrades = side.stack.front.quick_upgrades
    assert upgrades is not None
    assert upgrades.remembered <= 3 * 1024


async def test_an_app_behind_a_store_goes_the_general_way() -> None:
    apps = AskedAppManager()
    stack = Stack(stores={"apps": apps}, clock=FakeClock())
    transport = stack.socket()
    transport.feed(QUICK["library"])
    assert transport.read() == b""
    # The first question is nobody's.
    await apps.questions.fail()
    await apps.questions.answer(make_app())
    stack.clock.run_soon()
    assert transport.read().startswith(b"HTTP/1.1 101 ")


def test_a_limit_on_new_connections_has_no_quick_way() -> None:
    assert Stack(app(), rate_limiter={"enabled": True}).front.quick_upgrades is None


def test_frames_after_the_handshake_are_served() -> None:
    side = Side(quick=True)
    transport: FakeTransport = side.stack.socket()
    transport.feed(QUICK["browser"])
    transport.feed(b"\x89\x80\0\0\0\0")
    side.stack.clock.run_soon()
    assert bytes(transport.read()).endswith(b"\x8a\x00")
