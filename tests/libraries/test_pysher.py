"""Pysher, the Python client library, against the running server. It speaks protocol 6 and runs in threads.

Channels are subscribed in the handler of `pusher:connection_established`, as its documentation shows: there the
library reads nothing meanwhile, so that no answer comes before its listener is bound.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pusher
import pysher
import pytest

from tests.libraries.apps import APP, APP_ID
from tests.servers.server import KEY, SECRET, ServerProcess, server_process

WAIT: Final = 20.0

CONNECTION_EVENTS: Final = ("pusher:connection_established", "pusher:pong", "pusher:error")
CHANNEL_EVENTS: Final = (
    "pusher_internal:subscription_succeeded",
    "pusher_internal:member_added",
    "pusher_internal:member_removed",
    "pusher:subscription_error",
    "pusher:cache_miss",
    "event",
    "client-event",
)


class Client:
    """A Pysher client; what it hears of the connection and of its channels is kept in order."""

    def __init__(self, port: int, channels: Mapping[str, str | None], key: str = KEY, **user_data: Any) -> None:
        self._heard: queue.Queue[tuple[str, str, Any]] = queue.Queue()
        self._channels = channels
        self.pusher = pysher.Pusher(
            key,
            secret=SECRET,
            secure=False,
            custom_host="127.0.0.1",
            port=port,
            user_data=user_data,
            reconnect_interval=0.1,
        )
        for event in CONNECTION_EVENTS:
            self._listen(self.pusher.connection, "", event)
        self.pusher.connection.bind("pusher:connection_established", self._subscribe)
        self.pusher.connect()

    def _subscribe(self, _: str) -> None:
        for name, auth in self._channels.items():
            channel = self.pusher.subscribe(name, auth)
            for event in CHANNEL_EVENTS:
                self._listen(channel, name, event)

    def _listen(self, source: Any, channel: str, event: str) -> None:
        source.bind(event, lambda data: self._heard.put((channel, event, data)))

    def expect(self, event: str, channel: str = "") -> Any:
        """Return the data of the next event that is heard, which is this one."""
        heard = self._heard.get(timeout=WAIT)
        assert heard[:2] == (channel, event), heard
        return heard[2]

    def expect_connected(self) -> None:
        """Wait for the connection, and for the answer to the ping that Pysher sends as soon as the socket is open."""
        self.expect("pusher:connection_established")
        self.expect("pusher:pong")

    def trigger(self, channel: str, data: object) -> None:
        """Send a client event."""
        self.pusher.channel(channel).trigger("client-event", data)

    def end(self) -> None:
        """Disconnect and wait for the library's thread."""
        connection = self.pusher.connection
        connection.disconnect_called = True
        # `disconnect` alone may close the socket while the thread waits on it, which does not wake it for 100 s.
        with contextlib.suppress(AttributeError, OSError):
            connection.socket.sock.sock.shutdown(socket.SHUT_RDWR)
        connection.join(WAIT)
        assert not connection.is_alive()
        self.pusher.disconnect()


@contextlib.contextmanager
def connected(port: int, *channels: str, **user_data: Any) -> Iterator[Client]:
    """Run a client that is on these channels."""
    with running(port, dict.fromkeys(channels), **user_data) as client:
        client.expect_connected()
        for channel in channels:
            client.expect("pusher_internal:subscription_succeeded", channel)
        yield client


@contextlib.contextmanager
def running(port: int, channels: Mapping[str, str | None], **changes: Any) -> Iterator[Client]:
    """Run a client that asks for these channels, each with the authorisation given or its own."""
    client = Client(port, channels, **changes)
    try:
        yield client
    finally:
        client.end()


@pytest.fixture
def api(server: ServerProcess) -> Any:
    """Return the official server library."""
    return backend(server.port)


def backend(port: int) -> Any:
    return pusher.Pusher(app_id=APP_ID, key=KEY, secret=SECRET, host="127.0.0.1", port=port, ssl=False)


def test_a_client_connects_and_its_ping_is_answered(server: ServerProcess) -> None:
    with connected(server.port) as client:
        assert client.pusher.connection.state == "connected"
        assert client.pusher.connection.socket_id.replace(".", "", 1).isdigit()
        client.pusher.connection.send_ping()
        client.expect("pusher:pong")


def test_events_arrive_on_public_and_private_channels(server: ServerProcess, api: Any) -> None:
    with connected(server.port, "pysher", "private-pysher") as client:
        api.trigger("private-pysher", "event", {"text": "Grüße 🌍"})
        api.trigger("pysher", "event", "text")
        assert json.loads(client.expect("event", "private-pysher")) == {"text": "Grüße 🌍"}
        assert client.expect("event", "pysher") == "text"


def test_a_channel_that_was_left_is_silent(server: ServerProcess, api: Any) -> None:
    with connected(server.port, "pysher-left", "pysher-kept") as client:
        left = client.pusher.channel("pysher-left")
        client.pusher.unsubscribe("pysher-left")
        # Pysher drops what comes for a channel that it has forgotten; this one it would still hand on.
        client.pusher.channels["pysher-left"] = left
        client.pusher.connection.send_ping()
        client.expect("pusher:pong")
        api.trigger(["pysher-left", "pysher-kept"], "event", "text")
        client.expect("event", "pysher-kept")
        client.pusher.connection.send_ping()
        client.expect("pusher:pong")


def test_members_of_a_presence_channel_see_each_other(server: ServerProcess) -> None:
    room = "presence-pysher"
    with running(server.port, {room: None}, user_id="ann", user_info={"name": "Ann"}) as ann:
        ann.expect_connected()
        roster = json.loads(ann.expect("pusher_internal:subscription_succeeded", room))
        assert roster == {"presence": {"count": 1, "ids": ["ann"], "hash": {"ann": {"name": "Ann"}}}}
        with connected(server.port, room, user_id="bob"):
            added = json.loads(ann.expect("pusher_internal:member_added", room))
            assert added == {"user_id": "bob", "user_info": {}}
        assert json.loads(ann.expect("pusher_internal:member_removed", room)) == {"user_id": "bob"}


def test_a_client_event_reaches_the_other_client(server: ServerProcess) -> None:
    room = "private-pysher-events"
    with connected(server.port, room) as one, connected(server.port, room) as other:
        one.trigger(room, {"n": 1})
        assert other.expect("client-event", room) == {"n": 1}
        other.trigger(room, "text")
        # It would have heard its own event before this one.
        assert one.expect("client-event", room) == "text"


def test_a_cache_channel_brings_its_last_event(server: ServerProcess, api: Any) -> None:
    with connected(server.port, "cache-pysher") as client:
        client.expect("pusher:cache_miss", "cache-pysher")
        api.trigger("cache-pysher", "event", "last")
        assert client.expect("event", "cache-pysher") == "last"
    with connected(server.port, "cache-pysher") as client:
        assert client.expect("event", "cache-pysher") == "last"


def test_a_refused_channel_does_not_make_it_hang_up(server: ServerProcess, api: Any) -> None:
    refused = {"private-pysher-no": f"{KEY}:{'0' * 64}", "presence-pysher-no": f"{KEY}:{'0' * 64}"}
    with running(server.port, {**refused, "pysher-yes": None}) as client:
        client.expect_connected()
        for channel in refused:
            assert client.expect("pusher:subscription_error", channel)["status"] == 401
            assert client.expect("pusher:error")["code"] is None
        client.expect("pusher_internal:subscription_succeeded", "pysher-yes")
        api.trigger("pysher-yes", "event", "text")
        client.expect("event", "pysher-yes")
        assert client.pusher.connection.state == "connected"
        assert not client.pusher.connection.needs_reconnect


def test_an_unknown_key_makes_it_give_up(server: ServerProcess) -> None:
    with running(server.port, {}, key="unknown") as client:
        assert client.expect("pusher:error")["code"] == 4001
        client.pusher.connection.join(WAIT)
        assert not client.pusher.connection.is_alive()


def test_it_comes_back_to_a_server_that_was_restarted(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        with server_process(tmp_path, APP) as server:
            client = stack.enter_context(connected(server.port, "pysher-restart"))
            assert server.stop() == 0
            assert client.expect("pusher:error")["code"] == 4200
        stack.enter_context(server_process(tmp_path, APP, port=server.port))
        client.expect_connected()
        client.expect("pusher_internal:subscription_succeeded", "pysher-restart")
        backend(server.port).trigger("pysher-restart", "event", "text")
        assert client.expect("event", "pysher-restart") == "text"
