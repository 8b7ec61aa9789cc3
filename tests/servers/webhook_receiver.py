"""A back end that receives webhooks over HTTP, and answers as a test tells it to."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from tests.servers.server import KEY, SECRET

WAIT: Final = 20.0


@dataclass(frozen=True)
class Received:
    """One request.

    Attributes:
        at: monotonic seconds of the event loop.
        headers: with lower-case names.
    """

    at: float
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events in the body, without their times."""
        return [
            {name: value for name, value in event.items() if name != "time_ms"}
            for event in json.loads(self.body)["events"]
        ]

    def check(self, key: str = KEY, secret: str = SECRET) -> None:
        """Check what every webhook of Pusher is."""
        signature = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        assert self.headers["x-pusher-key"] == key
        assert self.headers["x-pusher-signature"] == signature
        assert self.headers["content-type"] == "application/json"
        document = json.loads(self.body)
        assert document.keys() == {"time_ms", "events"}
        assert isinstance(document["time_ms"], int)
        for event in document["events"]:
            assert all(type(value) in (str, int) for value in event.values()), event


Answer = Callable[[Received], Awaitable[int] | int]


class WebhookReceiver:
    """Listens on a loopback port.

    Attributes:
        requests: everything that was received, whatever was answered.
        answer: the status of the answer to a request; may wait.
    """

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.answer: Answer = lambda _: 200
        self.headers: dict[str, str] = {}
        self.port = 0
        self._changed = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event that was taken, in order, without its time."""
        return [event for one in self.requests if 200 <= one.status < 300 for event in one.events]

    def names(self) -> list[str]:
        """Return the events that were taken: name, channel and user in one text each."""
        return [
            " ".join(str(event[key]) for key in ("name", "channel", "user_id") if key in event) for event in self.events
        ]

    async def until(self, is_true: Callable[[], bool], within: float = WAIT) -> None:
        """Wait until something holds, looking at it after each request."""
        try:
            async with asyncio.timeout(within):
                while not is_true():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"not within {within:g} s; received: {self.names()}, {self.requests}") from None

    async def expect(self, *names: str, within: float = WAIT) -> None:
        """Wait for so many events, and check that they are these, in this order."""
        await self.until(lambda: len(self.names()) >= len(names), within)
        assert self.names() == list(names)

    async def handle(self, request: web.Request) -> web.Response:
        """Take a request."""
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        at = asyncio.get_running_loop().time()
        received = Received(at, request.path, headers, body, 0)
        answer = self.answer(received)
        status = answer if isinstance(answer, int) else await answer
        self.requests.append(Received(at, request.path, headers, body, status))
        self._changed.set()
        return web.Response(status=status, headers=self.headers)


@contextlib.asynccontextmanager
async def webhook_receiver(port: int = 0) -> AsyncIterator[WebhookReceiver]:
    """Run a receiver in this event loop."""
    receiver = WebhookReceiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def never(_: Received) -> int:
    """Do not answer."""
    await asyncio.sleep(3600)
    return 200
