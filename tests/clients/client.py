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
from websockets.typing import Origin

from tests.servers.server import APP_ID, KEY, SECRET

# Only what never comes takes as long; a machine with much to do takes its time.
WAIT = 20.0


def signature(text: str, secret: str = SECRET) -> str:
    """Return the hex HMAC-SHA256 of a text."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class PusherClient:
    """One connection. Frames come in the order sent; what is waited for arrives within `WAIT` seconds or fails."""

    def __init__(
        self,
        port: int,
        key: str = KEY,
        secret: str = SECRET,
        query: str = "?protocol=7",
        *,
        prefix: str = "",
        origin: str | None = None,
    ) -> None:
        self._url = f"ws://127.0.0.1:{port}{prefix}/app/{key}{query}"
        self._key = key
        self._secret = secret
        self._origin = None if origin is None else Origin(origin)
        self._socket: ClientConnection
        self.first: dict[str, Any] = {}
        self.socket_id = ""

    @property
    def local_port(self) -> int:
        """The port of its own end."""
        port: int = self._socket.local_address[1]
        return port

    async def __aenter__(self) -> PusherClient:
        await self._open()
        assert self.first["event"] == "pusher:connection_established", self.first
        self.socket_id = json.loads(self.first["data"])["socket_id"]
        return self

    async def _open(self) -> None:
        # Without a bound on its queue the library always reads, so that a test is never a slow consumer by accident.
        self._socket = await connect(
            self._url, origin=self._origin, ping_interval=None, max_size=None, max_queue=None, proxy=None
        )
        self.first = await self.receive()

    async def expect_refusal(self) -> tuple[int, str]:
        """Connect; check that the server ends it with an error frame and a close frame that says the same."""
        await self._open()
        try:
            return await self._expect_end_after(self.first)
        finally:
            await self._socket.close()

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

    async def expect_end(self) -> tuple[int, str]:
        """Check that the next frame is an error, then comes the close frame with its code and text; return both."""
        return await self._expect_end_after(await self.expect("pusher:error"))

    async def _expect_end_after(self, frame: Mapping[str, Any]) -> tuple[int, str]:
        assert frame["event"] == "pusher:error", frame
        end = frame["data"]["code"], frame["data"]["message"]
        assert await self.expect_close() == end
        return end

    async def expect_rejection(self, channel: str, kind: str, status: int) -> str:
        """Check that a subscription was refused in the two frames it takes; return the text."""
        refusal = await self.expect("pusher:subscription_error")
        text: str = refusal["data"]["error"]
        assert refusal == {
            "event": "pusher:subscription_error",
            "channel": channel,
            "data": {"type": kind, "error": text, "status": status},
        }
        assert await self.receive() == {"event": "pusher:error", "data": {"code": None, "message": text}}
        return text

    async def expect_error(self, code: int | None) -> str:
        """Check that the next frame is an error with this code; return its text."""
        frame = await self.expect("pusher:error")
        assert frame["data"]["code"] == code, frame
        text: str = frame["data"]["message"]
        return text

    async def close(self) -> None:
        """Leave, and wait until the server has taken note."""
        await self._socket.close()

    def drop(self) -> None:
        """Be gone without a word, as when the network fails."""
        self._socket.transport.abort()

    async def expect_nothing(self) -> None:
        """Check that nothing is on its way: the next frame is the answer to a ping sent now."""
        await self.send({"event": "pusher:ping", "data": {}})
        await self.expect("pusher:pong")

    async def subscribe(self, channel: str, channel_data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for a channel, with a signature where it needs one, and return the answer."""
        await self.ask_for(channel, channel_data)
        return await self.receive()

    async def ask_for(
        self, channel: str, channel_data: Mapping[str, Any] | str | None = None, *, auth: str | None = None
    ) -> None:
        """Ask for a channel, signed as it should be unless `auth` is given; the answer is left to be received."""
        data: dict[str, Any] = {"channel": channel, "auth": ""}
        if channel_data is not None:
            data["channel_data"] = channel_data if isinstance(channel_data, str) else json.dumps(channel_data)
        if auth is not None:
            data["auth"] = auth
        elif channel.startswith(("private-", "presence-")):
            data["auth"] = self.auth(channel, data.get("channel_data"))
        await self.send({"event": "pusher:subscribe", "data": data})

    def auth(self, channel: str, channel_data: str | None = None, *, secret: str | None = None) -> str:
        """Return what a back end answers when it lets this client into a channel."""
        text = f"{self.socket_id}:{channel}" if channel_data is None else f"{self.socket_id}:{channel}:{channel_data}"
        return f"{self._key}:{signature(text, secret or self._secret)}"

    async def unsubscribe(self, channel: str) -> None:
        """Leave a channel, and wait until that is done."""
        await self.send({"event": "pusher:unsubscribe", "data": {"channel": channel}})
        await self.expect_nothing()

    async def trigger(self, channel: str, event: str, data: object) -> None:
        """Send a client event."""
        await self.send({"event": event, "channel": channel, "data": data})

    async def sign_in(self, user_id: str, **user: Any) -> None:
        """Ask to be signed in; the answer is left to be received."""
        await self.sign_in_with(json.dumps({"id": user_id} | user))

    async def sign_in_with(self, user_data: str) -> None:
        """Ask to be signed in with user data as given, signed; the answer is left to be received."""
        data = {"auth": self.user_auth(user_data), "user_data": user_data}
        await self.send({"event": "pusher:signin", "data": data})

    def user_auth(self, user_data: str) -> str:
        """Return what a back end answers when it says who this client is."""
        return f"{self._key}:{signature(f'{self.socket_id}::user::{user_data}', self._secret)}"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    def error(self, status: int) -> str:
        """Check that this is an error with this status, told in JSON; return the text."""
        assert self.status == status, self
        assert self.headers["content-type"] == "application/json"
        told = self.json()
        assert told == {"error": told["error"], "code": status}
        text: str = told["error"]
        assert text
        return text


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

    async def channels(self, **params: str) -> dict[str, Any]:
        """Return the occupied channels."""
        answer = await self.get("/channels", **params)
        assert answer.status == 200, answer
        found: dict[str, Any] = answer.json()["channels"]
        return found

    def target(self, method: str, path: str, body: bytes = b"", params: Mapping[str, str] | None = None) -> str:
        """Return a signed target below the app, to be sent in any way."""
        path = self._base + path
        return f"{path}?{self.query(method, path, body, params)}"

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
