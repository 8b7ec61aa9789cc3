"""A small Pusher client for tests: WebSocket frames and signed HTTP requests, with nothing hidden."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.server import APP_ID, KEY, SECRET

WAIT = 5.0


def signature(text: str, secret: str = SECRET) -> str:
    """Return the hex HMAC-SHA256 of a text."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class PusherClient:
    """One connection. Frames come in the order sent; what is waited for arrives within `WAIT` seconds or fails."""

    def __init__(self, port: int, key: str = KEY, secret: str = SECRET, query: str = "?protocol=7") -> None:
        self._url = f"ws://127.0.0.1:{port}/app/{key}{query}"
        self._key = key
        self._secret = secret
        self._socket: ClientConnection
        self.socket_id = ""

    async def __aenter__(self) -> PusherClient:
        self._socket = await connect(self._url, ping_interval=None, max_size=None)
        first = await self.receive()
        assert first["event"] == "pusher:connection_established", first
        self.socket_id = json.loads(first["data"])["socket_id"]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._socket.close()

    async def send(self, frame: Mapping[str, Any]) -> None:
        """Send one frame."""
        await self._socket.send(json.dumps(frame))

    async def send_text(self, text: str) -> None:
        """Send text that need not be JSON."""
        await self._socket.send(text)

    async def receive(self) -> dict[str, Any]:
        """Return the next frame."""
        frame: dict[str, Any] = json.loads(await asyncio.wait_for(self._socket.recv(), WAIT))
        return frame

    async def expect(self, event: str) -> dict[str, Any]:
        """Return the next frame, which is this event."""
        frame = await self.receive()
        assert frame["event"] == event, frame
        return frame

    async def expect_close(self) -> tuple[int, str]:
        """Return code and reason of the close frame; nothing else may come before it."""
        try:
            frame = await asyncio.wait_for(self._socket.recv(), WAIT)
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                raise AssertionError("the socket was dropped without a close frame") from None
            return closed.rcvd.code, closed.rcvd.reason
        raise AssertionError(f"expected a close frame, got {frame!r}")

    async def expect_nothing(self) -> None:
        """Check that nothing is on its way: the next frame is the answer to a ping sent now."""
        await self.send({"event": "pusher:ping", "data": {}})
        await self.expect("pusher:pong")

    async def subscribe(self, channel: str, channel_data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for a channel, with a signature where it needs one, and return the answer."""
        data: dict[str, Any] = {"channel": channel, "auth": ""}
        if channel.startswith(("private-", "presence-")):
            text = f"{self.socket_id}:{channel}"
            if channel_data is not None:
                data["channel_data"] = json.dumps(channel_data)
                text += ":" + data["channel_data"]
            data["auth"] = f"{self._key}:{signature(text, self._secret)}"
        await self.send({"event": "pusher:subscribe", "data": data})
        return await self.receive()

    async def sign_in(self, user_id: str, **user: Any) -> None:
        """Ask to be signed in; the answer is left to be received."""
        user_data = json.dumps({"id": user_id} | user)
        auth = f"{self._key}:{signature(f'{self.socket_id}::user::{user_data}', self._secret)}"
        await self.send({"event": "pusher:signin", "data": {"auth": auth, "user_data": user_data}})


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class ApiClient:
    """Signed requests to the HTTP API, each over a connection of its own."""

    def __init__(self, port: int, app_id: str = APP_ID, key: str = KEY, secret: str = SECRET, prefix: str = "") -> None:
        self._port = port
        self._base = f"{prefix}/apps/{app_id}"
        self._key = key
        self._secret = secret

    async def post(self, path: str, body: object = None) -> Answer:
        """POST a JSON body to a path below the app."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return await self.request("POST", self._base + path, raw)

    async def get(self, path: str, **params: str) -> Answer:
        """GET a path below the app."""
        return await self.request("GET", self._base + path, b"", params)

    async def trigger(self, channel: str, data: object, name: str = "event", **more: object) -> Answer:
        """Publish one event and check that it was taken."""
        answer = await self.post("/events", {"name": name, "channel": channel, "data": data} | more)
        assert answer.status == 200, answer
        return answer

    def query(self, method: str, path: str, body: bytes, params: Mapping[str, str] | None = None) -> str:
        """Return the signed query of a request."""
        signed = dict(params or {}) | {
            "auth_key": self._key,
            "auth_timestamp": str(int(time.time())),
            "auth_version": "1.0",
        }
        if body:
            signed["body_md5"] = hashlib.md5(body).hexdigest()
        text = "&".join(f"{name}={signed[name]}" for name in sorted(signed))
        signed["auth_signature"] = signature(f"{method}\n{path}\n{text}", self._secret)
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in signed.items())

    async def request(
        self, method: str, path: str, body: bytes = b"", params: Mapping[str, str] | None = None
    ) -> Answer:
        """Make a signed request to any path."""
        return await http(self._port, method, f"{path}?{self.query(method, path, body, params)}", body)


async def http(
    port: int, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """Make one request as given, over a connection of its own."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        raw = await asyncio.wait_for(reader.read(), WAIT)
    finally:
        writer.close()
        await writer.wait_closed()
    head, _, rest = raw.partition(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in fields)
    return Answer(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, rest)
