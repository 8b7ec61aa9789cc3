"""Clients that come back, and publishers that go on, whatever happens to the nodes; all of it goes on record."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.clients.client import Answer, ApiClient, signature
from tests.clients.raw import HttpConnection
from tests.faults.checker import FLIGHT, History, Publish, Seen, Session, Told
from tests.faults.doors import Door, Process
from tests.servers.server import KEY

ROOM = "presence-room"
APP_ID = "1"
# On a Redis Cluster of three masters each of these channels is on a master of its own; the first one's master also
# carries the state of the nodes, and the room.
CHANNELS = ("news", "private-a", "private-c")
LOST = (OSError, EOFError, ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError)
_RETRY = 0.05
_ANSWER_WITHIN = 3.0
_PAUSE = 0.01


class Client:
    """A client on two channels and in one room, that connects again, to the next door that is open."""

    def __init__(self, name: str, doors: Sequence[Door], first: int, history: History) -> None:
        self.name = name
        self._doors = doors
        self._next = first
        self._history = history
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
        async with asyncio.timeout(40):
            while not self.is_joined:
                self.changed.clear()
                await self.changed.wait()

    async def left(self, session: Session) -> None:
        """Wait until a connection has ended."""
        async with asyncio.timeout(40):
            while session.ended_at is None:
                self.changed.clear()
                await self.changed.wait()

    async def leave(self) -> None:
        """Disconnect, and do not come back."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            door = self._doors[self._next % len(self._doors)]
            with contextlib.suppress(*LOST):
                await self._connection(door)
            self._next += 1
            await asyncio.sleep(_RETRY)

    async def _connection(self, door: Door) -> None:
        url = f"ws://127.0.0.1:{door.port}/app/{KEY}?protocol=7"
        async with connect(
            url, open_timeout=2, close_timeout=0.5, ping_interval=None, max_queue=None, proxy=None
        ) as socket:
            process = door.process_of(socket.local_address[1])
            session = Session(self.name, process.name)
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
                session.ended_at, session.close_code = time.monotonic(), socket.close_code
                session.whole_until = _whole_until(session.close_code, process, session.ended_at)
                self.session = None
                self.changed.set()

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
            session.told.append(Told(frame["channel"], user_id, event.endswith("added"), time.monotonic()))
        self.changed.set()


def _whole_until(close_code: int | None, process: Process, ended_at: float) -> float:
    """Return until when what was accepted must have arrived on a connection that has ended."""
    if process.whole_until is None:
        return ended_at - FLIGHT
    # Who is sent away in order misses nothing that was accepted before.
    return process.whole_until if close_code == 4200 else process.whole_until - FLIGHT


class Publisher:
    """Publishes to every channel in turn through one door, over one connection as long as it lasts.

    What it says through one process is one publisher to the history: two processes are not in order with each other.
    """

    def __init__(self, name: str, door: Door, history: History, note: Callable[[], object]) -> None:
        self.name = name
        self._door = door
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
            with contextlib.suppress(*LOST):
                async with HttpConnection(self._door.port) as connection:
                    # Who takes the connection is known once it has answered.
                    await _within(connection.request("GET", "/up"))
                    process = self._door.process_of(connection.local_port)
                    while not self._stopping:
                        number += 1
                        for channel in CHANNELS:
                            await self._publish(connection, process.name, channel, number)
                        await asyncio.sleep(_PAUSE)
            await asyncio.sleep(_RETRY)

    async def _publish(self, connection: HttpConnection, node: str, channel: str, number: int) -> None:
        name = f"{self.name}@{node}"
        body = json.dumps({"name": "e", "channel": channel, "data": json.dumps([name, number])}).encode()
        target = ApiClient(self._door.port, APP_ID).target("POST", "/events", body)
        sent_at, accepted_at, refusal = time.monotonic(), None, ""
        try:
            answer = await _within(connection.request("POST", target, body))
            if answer.status == 200:
                accepted_at = time.monotonic()
            else:
                refusal = repr(answer)
            if answer.headers.get("connection") == "close":
                raise EOFError("the node is leaving")
        except LOST as lost:
            if accepted_at is None:
                refusal = repr(lost)
            raise
        finally:
            self._history.publishes.append(Publish(name, channel, number, node, sent_at, accepted_at, refusal))
            self._note()


async def _within(answer: Awaitable[Answer]) -> Answer:
    async with asyncio.timeout(_ANSWER_WITHIN):
        return await answer
