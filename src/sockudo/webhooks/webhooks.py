"""Takes changes and client events of the node, and turns them into webhook events."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from sockudo.apps.app import App
from sockudo.apps.base import AppFinder
from sockudo.apps.webhook import is_wanted
from sockudo.cluster.peers import Peers
from sockudo.pusher import webhooks as events
from sockudo.queues.base import Queue
from sockudo.timing.clock import Clock
from sockudo.webhooks.base import WebhookEvents
from sockudo.webhooks.delivery.dispatcher import Dispatcher
from sockudo.webhooks.recent_keys import RecentKeys
from sockudo.webhooks.reporting.app_lookup import ASKED, AppLookup
from sockudo.webhooks.reporting.reports import MergedView
from sockudo.webhooks.reporting.settling import SettlingTimes
from sockudo.webhooks.reporting.transitions import Transitions

# A cache channel without an event is reported once in so many seconds, however many clients join it.
_MISS_SECONDS: Final = 1.0
_MOST_MISSES: Final = 10_000
# The most channels whose counts are kept until their app is known.
_MOST_COUNTS: Final = 10_000
_STEP: Final = 0.02
# When the server stops, an event is lost, and counted, if the store does not return its app in this time.
_LAST: Final = 1.0
# The latest time after the end of the hold by which some node reports a held transition.
_MARGIN: Final = 2.0


@dataclass(frozen=True, slots=True)
class WebhookTimes:
    """Seconds.

    Attributes:
        hold: how long a channel or a member that is gone may take to come back without a report.
        batching: how long events for one endpoint are collected; None if each is a request of its own.
        settling: the times of a node that joins others.
    """

    hold: float = 3.0
    batching: float | None = 0.05
    settling: SettlingTimes = field(default_factory=SettlingTimes)


class Webhooks(WebhookEvents):
    """The `WebhookEvents` of a server whose apps have webhooks, or may come to have some.

    Args:
        apps: where apps are found.
        view: the merged view of the cluster.
    """

    is_on = True

    def __init__(
        self,
        apps: AppFinder,
        view: MergedView,
        peers: Peers,
        queue: Queue,
        clock: Clock,
        times: WebhookTimes,
    ) -> None:
        self._apps = AppLookup(apps, clock, self._looked_up)
        self._peers = peers
        self._clock = clock
        self._hold = times.hold
        self.dispatcher = Dispatcher(queue, clock, times.batching)
        self.transitions = Transitions(
            self._apps.find, view, peers, clock, self.dispatcher.send, hold=times.hold, times=times.settling
        )
        # The last counts of channels whose app is being looked up.
        self._counts: dict[str, dict[str, int]] = {}
        self._kept_counts = 0
        self._misses = RecentKeys[tuple[str, str]](clock, _MISS_SECONDS, _MOST_MISSES)

    def begin(self) -> None:
        """Note that this node has joined the others and knows what they have."""
        self.transitions.begin()

    async def leave(self, seconds: float) -> None:
        """Report pending transitions, or let the others do so, within `seconds`.

        Call it when every client is gone, and before this node leaves the others.
        """
        deadline = self._clock.monotonic() + min(seconds, self._hold + _MARGIN)
        transitions = self.transitions
        while transitions.waiting:
            if self._peers.is_alone:
                transitions.release()
            await self.dispatcher.accepted(_STEP)
            if self._clock.monotonic() >= deadline:
                break
            await asyncio.sleep(_STEP)
        transitions.stop()
        self._apps.stop()
        await self.dispatcher.accepted(_LAST)
        transitions.announce_reported()

    # The merged view

    def channel_occupied(self, app_id: str, channel: str) -> None:
        self.transitions.changed(app_id, channel, None, is_there=True)

    def channel_vacated(self, app_id: str, channel: str) -> None:
        self.transitions.changed(app_id, channel, None, is_there=False)

    def member_added(self, app_id: str, channel: str, user_id: str) -> None:
        self.transitions.changed(app_id, channel, user_id, is_there=True)

    def member_removed(self, app_id: str, channel: str, user_id: str) -> None:
        self.transitions.changed(app_id, channel, user_id, is_there=False)

    def subscription_count(self, app_id: str, channel: str, count: int) -> None:
        app = self._apps.find(app_id)
        if app is ASKED:
            self._keep_count(app_id, channel, count)
            return
        if app is None or not is_wanted(app.webhooks, events.SUBSCRIPTION_COUNT, channel):
            return
        # The owner reports it, and not the node where it changed: two nodes that change it at the same time would each
        # report a number without the other's change, and a node that dies would report nothing.
        if self._peers.is_owner(app_id, channel):
            now = self._now_ms()
            event = events.subscription_count(channel, count, now)
            self.dispatcher.send(
                app, events.SUBSCRIPTION_COUNT, channel, event, now, replaces=(events.SUBSCRIPTION_COUNT, channel)
            )

    def _keep_count(self, app_id: str, channel: str, count: int) -> None:
        counts = self._counts.get(app_id, {})
        if channel not in counts:
            if self._kept_counts >= _MOST_COUNTS:
                return
            self._kept_counts += 1
        counts[channel] = count
        self._counts[app_id] = counts

    # This node's own clients

    def client_event(
        self, app: App, channel: str, event: str, data: bytes, socket_id: str, user_id: str | None
    ) -> None:
        if is_wanted(app.webhooks, events.CLIENT_EVENT, channel):
            now = self._now_ms()
            told = events.client_event(channel, event, data, socket_id, user_id, now)
            self.dispatcher.send(app, events.CLIENT_EVENT, channel, told, now)

    def cache_miss(self, app: App, channel: str) -> None:
        if is_wanted(app.webhooks, events.CACHE_MISS, channel) and self._misses.add((app.id, channel)):
            now = self._now_ms()
            self.dispatcher.send(app, events.CACHE_MISS, channel, events.cache_miss(channel, now), now)

    def connection_established(self, app: App, socket_id: str) -> None:
        self._tell_connection(app, events.CONNECTION_ESTABLISHED, socket_id)

    def connection_terminated(self, app: App, socket_id: str) -> None:
        self._tell_connection(app, events.CONNECTION_TERMINATED, socket_id)

    def _looked_up(self, app_id: str) -> None:
        """Go on with the events that waited for an app."""
        self.transitions.resume()
        counts = self._counts.pop(app_id, {})
        self._kept_counts -= len(counts)
        for channel, count in counts.items():
            self.subscription_count(app_id, channel, count)

    def _tell_connection(self, app: App, name: str, socket_id: str) -> None:
        if is_wanted(app.webhooks, name, None):
            now = self._now_ms()
            self.dispatcher.send(app, name, None, events.connection_event(name, socket_id, now), now)

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)
