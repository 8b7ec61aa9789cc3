"""Clients that come back, and publishers that go on, whatever happens to the nodes; all of it goes on record."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.faults.checker import FLIGHT, History, Publish, Seen, Session, Told
from tests.support.client import ApiClient, signature
from tests.support.raw import HttpConnection
from tests.support.server import KEY

ROOM = "presence-room"
CHANNELS = ("news", "private-a")
_LOST = (OSError, EOFError, ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError)
_RETRY = 0.05
_ANSWER_WITHIN = 3.0
_PAUSE = 0.01


class Place(Protocol):
    """A node as its clients see it; `whole_until` is when a fault befell it, if one did."""

    name: str
    port: int
    whole_until: float | None


class Client:
    """A client on two channels and in one room, that connects again, to the next node that takes it."""

    def __init__(self, name: str, places: Sequence[Place], first: int, history: History) -> None:
        self.name = name
        self._places = places
        self._next = first
        self._history = history
        self._socket: ClientConnection | None = None
        self._leaving_at: float | None = None
        self.session: Session | None = None
        self.changed = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    @property
    def is_joined(self) -> bool:
        """Whether the connection of now is on all channels."""
        session = self.session
        return session is not None and len(session.subscribed_at) == len(CHANNELS) + 1

    async def joined(self) -> None:
        """Wait until it is on all channels."""
        async with asyncio.timeout(15):
            while not self.is_joined:
                self.changed.clear()
                await self.changed.wait()

    async def leave(self) -> None:
        """Disconnect, and do not come back."""
        self._leaving_at = time.monotonic()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            place = self._places[self._next % len(self._places)]
            with contextlib.suppress(*_LOST):
                await self._connection(place)
            self._next += 1
            await asyncio.sleep(_RETRY)

    async def _connection(self, place: Place) -> None:
        url = f"ws://127.0.0.1:{place.port}/app/{KEY}?protocol=7"
        async with connect(
            url, open_timeout=2, close_timeout=0.5, ping_interval=None, max_queue=None, proxy=None
        ) as socket:
            session = Session(self.name, place.name)
            try:
                async for text in socket:
                    frame = json.loads(text)
                    if frame["event"] == "pusher:connection_established":
                        self._history.sessions.append(session)
                        self.session = session
                        await self._subscribe(socket, json.loads(frame["data"])["socket_id"])
                    else:
                        self._take(session, frame)
            finally:
                ended_at = time.monotonic() if place.whole_until is None else place.whole_until
                graceful = socket.close_code == 4200 and place.whole_until is not None
                session.whole_until = ended_at if graceful else ended_at - FLIGHT
                self.session = None

    async def _subscribe(self, socket: ClientConnection, socket_id: str) -> None:
        for channel in (*CHANNELS, ROOM):
            data = {"channel": channel}
            text = f"{socket_id}:{channel}"
            if channel == ROOM:
                data["channel_data"] = json.dumps({"user_id": self.name})
                text += ":" + data["channel_data"]
            data["auth"] = f"{KEY}:{signature(text)}"
            await socket.send(json.dumps({"event": "pusher:subscribe", "data": data}))

    def _take(self, session: Session, frame: dict[str, Any]) -> None:
        event = frame["event"]
        if event == "e":
            publisher, number = json.loads(frame["data"])
            session.seen.append(Seen(publisher, frame["channel"], number))
        elif event == "pusher_internal:subscription_succeeded":
            channel = frame["channel"]
            if channel == ROOM:
                session.rosters[ROOM] = frozenset(json.loads(frame["data"])["presence"]["ids"])
            session.subscribed_at[channel] = time.monotonic()
        elif event in ("pusher_internal:member_added", "pusher_internal:member_removed"):
            user_id = json.loads(frame["data"])["user_id"]
            session.told.append(Told(frame["channel"], user_id, event.endswith("added")))
        self.changed.set()


class Publisher:
    """Publishes to every channel in turn through one node, over one connection as long as it lasts."""

    def __init__(self, name: str, place: Place, history: History, note: Callable[[], object]) -> None:
        self.name = name
        self._place = place
        self._history = history
        self._note = note
        self._stopping = False
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish the request under way."""
        self._stopping = True
        await self._task

    async def _run(self) -> None:
        number = 0
        while not self._stopping:
            with contextlib.suppress(*_LOST):
                async with HttpConnection(self._place.port) as connection:
                    while not self._stopping:
                        number += 1
                        for channel in CHANNELS:
                            await self._publish(connection, channel, number)
                        await asyncio.sleep(_PAUSE)
            await asyncio.sleep(_RETRY)

    async def _publish(self, connection: HttpConnection, channel: str, number: int) -> None:
        body = json.dumps({"name": "e", "channel": channel, "data": json.dumps([self.name, number])}).encode()
        target = ApiClient(self._place.port).target("POST", "/events", body)
        sent_at, accepted_at = time.monotonic(), None
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                answer = await connection.request("POST", target, body)
            if answer.status == 200:
                accepted_at = time.monotonic()
            if answer.headers.get("connection") == "close":
                raise EOFError("the node is leaving")
        finally:
            self._history.publishes.append(Publish(self.name, channel, number, self._place.name, sent_at, accepted_at))
            self._note()
