"""Tells the subscribers of a channel how many they are, at most once a second for each channel, the last value always.

Source: Pusher docs, `using_channels/subscription-counting`.
"""

from __future__ import annotations

from typing import Final

from sockudo.apps.app import App
from sockudo.hub.broadcast import Broadcast
from sockudo.hub.channel import Channel
from sockudo.hub.hub import Hub
from sockudo.node.view import View
from sockudo.pusher.events import subscription_count
from sockudo.timing.clock import Clock, is_due
from sockudo.websocket.frames import text_frame

INTERVAL: Final = 1.0


class SubscriptionCounts:
    """Sends `pusher_internal:subscription_count` where the app has it switched on; never on presence channels."""

    def __init__(self, hub: Hub, view: View, clock: Clock) -> None:
        self._hub = hub
        self._view = view
        self._clock = clock
        # (app id, channel) -> when the next frame may go. Held for one constant interval, so oldest first.
        self._held: dict[tuple[str, str], float] = {}
        self._changed: set[tuple[str, str]] = set()

    def changed(self, app: App, channel: Channel) -> None:
        """Note that the number of subscribers of a channel has changed."""
        if not app.enable_subscription_count or channel.members is not None:
            return
        key = (app.id, channel.name)
        if key in self._held:
            self._changed.add(key)
        else:
            self._send_count(key)

    def _send_count(self, key: tuple[str, str]) -> None:
        app_id, name = key
        if self._hub.channel(app_id, name) is None:
            return
        if not self._held:
            self._clock.call_later(INTERVAL, self._release)
        self._held[key] = self._clock.monotonic() + INTERVAL
        count = self._view.subscription_count(app_id, name)
        self._hub.deliver(app_id, name, Broadcast(text_frame(subscription_count(name, count))))

    def _release(self) -> None:
        now = self._clock.monotonic()
        due = [key for key, until in self._held.items() if is_due(until, now)]
        for key in due:
            del self._held[key]
        if self._held:
            self._clock.call_later(next(iter(self._held.values())) - now, self._release)
        for key in due:
            if key in self._changed:
                self._changed.discard(key)
                self._send_count(key)
