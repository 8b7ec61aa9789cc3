"""A node without sockets: everything behind the wire, on a clock that stands still until a test moves it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.apps.memory import MemoryAppManager
from sockudo.cache.base import Cache
from sockudo.cache.memory import MemoryCache
from sockudo.cluster.local import NoPeers
from sockudo.cluster.peers import Peers
from sockudo.hub.connection import Connection
from sockudo.hub.hub import Hub
from sockudo.hub.outbox import Flusher
from sockudo.node.cached_events import CachedEvents
from sockudo.node.limits import NodeLimits
from sockudo.node.memory import Memory, MemoryGauge
from sockudo.node.node import Node, Opening
from sockudo.node.publisher import Publisher
from sockudo.node.queries import Queries
from sockudo.node.session import Session
from sockudo.node.subscriptions import Subscriptions
from sockudo.node.view import View
from sockudo.pusher.signatures import Signer
from sockudo.pusher.triggers import TriggerLimits, parse_trigger
from sockudo.webhooks.base import NoWebhooks, WebhookEvents
from tests.clients.signing import sign
from tests.fakes.clock import FakeClock
from tests.fakes.wire import Frame, RecordingWire

APP_ID, KEY, SECRET = "1", "app-key", "app-secret"
PUBLISHING: Final = TriggerLimits(
    max_channels=10, max_name_length=50, max_payload_bytes=200, max_batch_size=5, max_channel_name_length=100
)


def make_app(**changes: Any) -> App:
    """Return an app with client events on, and everything else as an app has it by default."""
    secret = changes.pop("secret", SECRET)
    values: dict[str, Any] = {"id": APP_ID, "key": KEY, "publishing": PUBLISHING, "enable_client_messages": True}
    return App(signer=Signer(secret), **(values | changes))


class Client:
    """One connection and what its client has received."""

    def __init__(self, world: World, wire: RecordingWire, connection: Connection) -> None:
        self._world = world
        self.wire = wire
        self.connection = connection

    @property
    def socket_id(self) -> str:
        """The id that the server gave the connection."""
        return self.connection.socket_id

    def take(self) -> list[Frame]:
        """Let the tick end and return the frames since the last call."""
        self._world.clock.advance(0)
        return self.wire.take()

    def events(self) -> list[str]:
        """Let the tick end and return the events of the frames since the last call."""
        return [frame["event"] for frame in self.take()]

    def send_bytes(self, payload: bytes) -> None:
        """Send one message."""
        self.connection.last_activity = self._world.clock.monotonic()
        self._world.session.receive(self.connection, payload)

    def say(self, event: str, data: object = None, channel: str | None = None) -> None:
        """Send one event; what comes back is left to be taken."""
        frame = {"event": event, "data": data} | ({} if channel is None else {"channel": channel})
        self.send_bytes(json.dumps(frame).encode())

    def send(self, event: str, data: object = None, channel: str | None = None) -> list[Frame]:
        """Send one event and return what comes back."""
        self.say(event, data, channel)
        return self.take()

    def subscribe(self, channel: str, user_id: object = None, user_info: object = None, **data: Any) -> list[Frame]:
        """Subscribe with a valid signature, where one is needed, and return what comes back."""
        self.ask_for(channel, user_id, user_info, **data)
        return self.take()

    def ask_for(self, channel: str, user_id: object = None, user_info: object = None, **data: Any) -> None:
        """Subscribe; what comes back is left to be taken."""
        if user_id is not None:
            info = {} if user_info is None else {"user_info": user_info}
            data["channel_data"] = json.dumps({"user_id": user_id} | info)
        if channel.startswith(("private-", "presence-")) and "auth" not in data:
            text = ":".join([self.socket_id, channel, *filter(None, [data.get("channel_data")])])
            data["auth"] = f"{KEY}:{sign(text, SECRET)}"
        self.say("pusher:subscribe", {"channel": channel} | data)

    def unsubscribe(self, channel: str) -> list[Frame]:
        """Leave a channel and return what comes back."""
        return self.send("pusher:unsubscribe", {"channel": channel})

    def sign_in(self, user_id: str, **user: Any) -> list[Frame]:
        """Sign in with a valid signature and return what comes back."""
        self.ask_to_be(user_id, **user)
        return self.take()

    def ask_to_be(self, user_id: str, **user: Any) -> None:
        """Sign in; what comes back is left to be taken."""
        user_data = json.dumps({"id": user_id} | user)
        auth = f"{KEY}:{sign(f'{self.socket_id}::user::{user_data}', SECRET)}"
        self.say("pusher:signin", {"auth": auth, "user_data": user_data})

    def leave(self) -> None:
        """Go without a word."""
        self._world.node.disconnect(self.connection)


class World:
    """The parts of a node, put together as the server does it.

    Args:
        manager: what the node looks apps up in, where that is not a list of the apps.
        cache: another cache than that of one process.
    """

    def __init__(
        self,
        *apps: App,
        limits: NodeLimits | None = None,
        memory_threshold: float = 0.9,
        clock: FakeClock | None = None,
        make_peers: Callable[[Hub, FakeClock], Peers] = lambda hub, clock: NoPeers(),
        manager: AppManager | None = None,
        cache: Cache | None = None,
        make_webhooks: Callable[[View, Peers], WebhookEvents] = lambda view, peers: NoWebhooks(),
    ) -> None:
        self.clock = clock or FakeClock()
        self.apps = MemoryAppManager(apps or [make_app()])
        self.app = next(iter(self.apps.all()))
        self.hub = Hub(Flusher(self.clock.call_soon))
        self.memory = Memory(total=100, used=10)
        self.gauge = MemoryGauge(memory_threshold, self.clock, lambda: self.memory)
        limits = limits or NodeLimits()
        self.peers = make_peers(self.hub, self.clock)
        self.manager = manager or self.apps
        self.webhooks = make_webhooks(View(self.hub, self.peers.replica), self.peers)
        self.node = Node(self.hub, self.manager, self.peers, limits, self.clock, self.gauge, self.webhooks)
        self.cache = MemoryCache(100, self.clock)
        self.cached_events = CachedEvents(cache or self.cache, limits.cache_ttl, self.clock, self.peers)
        self.publisher = Publisher(self.hub, self.manager, self.peers, self.cached_events, self.webhooks)
        self.queries = Queries(self.node.view, self.cached_events)
        self.session = Session(self.node, Subscriptions(self.node, self.cached_events), self.publisher)
        self.node.keepalive.start()

    def connect(self, wire: RecordingWire | None = None, **opening: Any) -> Client:
        """Connect a client and take its first frame off the wire."""
        wire = wire or RecordingWire()
        client = Client(self, wire, self.node.connect(self.opening(**opening), wire))
        client.take()
        return client

    def opening(self, key: str | None = None, **more: Any) -> Opening:
        """Return what a client says when it connects, with the first app unless there is a key."""
        return Opening(self.apps.by_key(self.app.key if key is None else key), **more)

    def publish(self, channel: str, data: object = "data", name: str = "event", **more: object) -> None:
        """Publish an event as a back end does."""
        body = {"name": name, "channel": channel, "data": data} | more
        self.publisher.publish(self.app, parse_trigger(json.dumps(body).encode(), self.app.publishing))


def data_of(frame: Frame) -> Any:
    """Return the JSON inside the data of a frame."""
    return json.loads(frame["data"])
