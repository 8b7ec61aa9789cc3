"""Publishes events of back ends and clients: encodes each once, frames it once, hands it to the hub.

Source: Pusher docs, `library_auth_reference/rest-api` and `using_channels/events` ("Triggering client events").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.cluster.peers import Peers
from sockudo.eventual import Eventual, Future, all_done
from sockudo.hub.broadcast import Broadcast
from sockudo.hub.connection import Connection
from sockudo.hub.hub import Hub
from sockudo.hub.latency import BroadcastLatency
from sockudo.node.cached_events import CachedEvents
from sockudo.pusher.channels import SERVER_TO_USER
from sockudo.pusher.codes import Code
from sockudo.pusher.commands import ClientEvent
from sockudo.pusher.errors import CommandRejected
from sockudo.pusher.events import channel_event, client_event
from sockudo.pusher.triggers import Trigger
from sockudo.timing.slices import Steps
from sockudo.webhooks.base import NoWebhooks, WebhookEvents
from sockudo.websocket.frames import text_frame

# How much publishing is done in one go, in subscribers that are queued for: these take about 1 ms. A copy of so many
# bytes takes as long as one subscriber, and an event to a channel as long as so many subscribers. An encoding that
# subscribers have negotiated costs `_ENCODING` more, and one more for each `_ENCODED_BYTES`: bytes that hardly compress
# take 4.3 ms for 100 KB.
_LONG: Final = 10_000
_BYTES: Final = 300
_TARGET: Final = 30
_ENCODING: Final = 150
_ENCODED_BYTES: Final = 2


class Publisher:
    """Sends events to the subscribers of channels.

    An event goes to the bus first: at the end of the tick its message leaves before the frames of the subscribers here,
    so the other nodes write theirs at the same time, and not after this node.

    Attributes:
        latency: what measures events of back ends, if anything does.
    """

    def __init__(
        self,
        hub: Hub,
        apps: AppManager,
        peers: Peers,
        cached_events: CachedEvents,
        webhooks: WebhookEvents | None = None,
    ) -> None:
        self.latency: BroadcastLatency | None = None
        self._hub = hub
        self._apps = apps
        self._peers = peers
        self._cached_events = cached_events
        self._webhooks: WebhookEvents = webhooks or NoWebhooks()

    def publish(self, app: App, trigger: Trigger) -> Eventual[None]:
        """Send a checked event to each of its channels, and keep it where the channel keeps its last event.

        A future is done when whoever subscribes on any node from now on gets the event; it does not fail.
        """
        # hot path
        keeping: list[Eventual[None]] | None = None
        latency = self.latency
        hub, peers, app_id, except_id = self._hub, self._peers, app.id, trigger.socket_id
        for name, kind in trigger.targets:
            if kind.cache:
                payload = channel_event(trigger.name, name, trigger.data)
                frame = text_frame(payload)
                kept = self._cached_events.keep(app_id, name, payload)
                if isinstance(kept, Future):
                    keeping = [] if keeping is None else keeping
                    keeping.append(kept)
                if self._cached_events.is_shared:
                    peers.publish(app_id, name, frame, except_id, is_stored=True)
                else:
                    peers.publish_cached(app_id, name, frame, except_id)
                recipients = hub.deliver(app_id, name, Broadcast(frame), except_id)
                if latency is not None and recipients:
                    latency.note(app_id, kind.label, recipients)
            elif kind.user:
                frame = text_frame(channel_event(trigger.name, name, trigger.data))
                peers.publish(app_id, name, frame, except_id)
                hub.deliver_to_user(app_id, name[len(SERVER_TO_USER) :], Broadcast(frame), except_id)
            elif not peers.is_surely_alone or hub.channel(app_id, name) is not None:
                frame = text_frame(channel_event(trigger.name, name, trigger.data))
                peers.publish(app_id, name, frame, except_id)
                recipients = hub.deliver(app_id, name, Broadcast(frame), except_id)
                if latency is not None and recipients:
                    latency.note(app_id, kind.label, recipients)
        return None if keeping is None else all_done(keeping)

    def is_long(self, app: App, triggers: Sequence[Trigger]) -> bool:
        """Tell whether publishing some events in one go would hold up others."""
        work = 0
        for trigger in triggers:
            each = _TARGET + len(trigger.data) // _BYTES
            for name, kind in trigger.targets:
                encodings = 0
                work += each
                if kind.user:
                    connections = self._hub.user_connections(app.id, name[len(SERVER_TO_USER) :])
                    encodings = len({one.encoding for one in connections} - {None})
                elif (channel := self._hub.channel(app.id, name)) is not None:
                    work += channel.count
                    encodings = 0 if channel.encoded is None else len(channel.encoded)
                if encodings:
                    work += encodings * (_ENCODING + len(trigger.data) // _ENCODED_BYTES)
        return work > _LONG

    def publish_steps(self, app: App, triggers: Sequence[Trigger]) -> Steps[None]:
        """Send checked events as `publish` does, in order, and give way after each channel."""
        kept: list[Eventual[None]] = []
        for trigger in triggers:
            for target in trigger.targets:
                kept.append(self.publish(app, msgspec.structs.replace(trigger, targets=(target,))))
                yield None
        done = all_done(kept)
        if isinstance(done, Future):
            yield done

    def client_event(self, connection: Connection, event: ClientEvent, now: float) -> None:
        """Send a client's event to the others on its channel (`now`: monotonic seconds).

        Raises:
            CommandRejected: 4301, the event is not allowed.
        """
        # hot path
        app = self._apps.known(connection.app.id)
        if app is None:
            app = connection.app
        elif app is not connection.app:
            connection.app = app
        name = event.channel
        if not app.enable_client_messages:
            raise _rejected("Client events are not enabled for this app (enable_client_messages of the app)", name)
        if name is None:
            raise _rejected("Channel required for client event")
        connection.totals.client_events += 1
        if not connection.take_client_event(now):
            connection.totals.client_events_refused += 1
            raise CommandRejected(
                f"Client event rejected due to rate limit: {app.max_client_events_per_second} a second "
                "(max_client_events_per_second of the app)",
                Code.CLIENT_EVENT_REJECTED,
                name[:200],
            )
        subscriptions = connection.subscriptions
        if subscriptions is None or name not in subscriptions:
            raise _rejected("The connection is not subscribed to this channel", name)
        channel = self._hub.channel(app.id, name)
        assert channel is not None, "a channel that a connection is on exists"
        if not channel.kind.private or channel.kind.encrypted:
            raise _rejected("Client events can only be sent to private or presence channels", name)
        _check_sizes(app, event, name)
        data, user_id = event.data, subscriptions[name]
        payload = client_event(event.event, name, data, user_id)
        frame = text_frame(payload)
        self._peers.publish(app.id, name, frame, connection.socket_id)
        channel.broadcast(Broadcast(frame), connection)
        self._hub.flusher.wake()
        if app.webhooks:
            self._webhooks.client_event(app, name, event.event, data, connection.socket_id, user_id)


def _check_sizes(app: App, event: ClientEvent, name: str) -> None:
    limits = app.publishing
    if len(event.event) > limits.max_name_length:
        raise _rejected(
            f"Event name of {len(event.event)} characters exceeds the limit of {limits.max_name_length} "
            "(max_event_name_length of the app, or event_limits.max_name_length)",
            name,
        )
    if len(event.data) > limits.max_payload_bytes:
        raise _rejected(
            f"Event data of {len(event.data)} bytes exceeds the limit of {limits.max_payload_bytes} bytes "
            "(max_event_payload_in_kb of the app, or event_limits.max_payload_in_kb)",
            name,
        )


def _rejected(reason: str, channel: str | None = None) -> CommandRejected:
    return CommandRejected(
        f"Client event error: {reason}", Code.CLIENT_EVENT_REJECTED, None if channel is None else channel[:200]
    )
