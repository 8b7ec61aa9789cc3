"""Nodes that report to one receiver, which remembers what it was told."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from sockudo.apps.app import App
from sockudo.apps.webhook import Webhook
from sockudo.cluster.peers import Peers
from sockudo.node.view import View
from sockudo.webhooks.base import NoWebhooks, Sent
from sockudo.webhooks.reporting.app_lookup import Asked
from sockudo.webhooks.reporting.settling import SettlingTimes
from sockudo.webhooks.reporting.transitions import Transitions
from tests.fakes.clock import FakeClock
from tests.fakes.node import make_app
from tests.servers.cluster import Bus, Member

HOLD: Final = 3.0
ACCEPTED_AFTER: Final = 0.05
TRANSITIONS: Final = frozenset({"channel_occupied", "channel_vacated", "member_added", "member_removed"})
EVERYTHING: Final = Webhook("https://receiver.example/", TRANSITIONS)


class Receiver:
    """What the outside was told, in order: by channel, and by member of a channel.

    Attributes:
        told: (channel, user id or None) -> (whether it is there, the node that said so) in the order of arrival.
        takes: whether a queue accepts anything.
    """

    def __init__(self) -> None:
        self.told: dict[tuple[str, str | None], list[tuple[bool, str]]] = defaultdict(list)
        self.order: list[tuple[str, str, str | None]] = []
        self.takes = True

    def names(self) -> list[str]:
        """Return the events so far: their name, channel and user, in one text each, and forget them."""
        order, self.order = self.order, []
        return [" ".join(filter(None, event)) for event in order]

    def believes(self) -> set[tuple[str, str | None]]:
        """Return what is there by what was told."""
        return {key for key, told in self.told.items() if told[-1][0]}

    def repeats(self) -> list[str]:
        """Return what was told twice in a row."""
        return [
            f"{key} {told}"
            for key, told in self.told.items()
            if [is_there for is_there, _ in told] != [number % 2 == 0 for number in range(len(told))]
        ]


class ReportingNode(NoWebhooks):
    """The webhooks of a node whose queue accepts what it is given a moment later."""

    is_on = True

    def __init__(self, view: View, peers: Peers, clock: FakeClock, receiver: Receiver, app: App, hold: float) -> None:
        self.is_alive = True
        self.app: App | Asked = app
        self._app = app
        self._clock = clock
        self._receiver = receiver
        self._name = getattr(peers, "node_id", "alone")[:4]
        self.transitions = Transitions(
            lambda app_id: self.app, view, peers, clock, self._send, hold=hold, times=SettlingTimes(hello=0.05)
        )

    def know(self) -> None:
        """Find the app that was asked for."""
        self.app = self._app
        self.transitions.resume()

    def channel_occupied(self, app_id: str, channel: str) -> None:
        self.transitions.changed(app_id, channel, None, is_there=True)

    def channel_vacated(self, app_id: str, channel: str) -> None:
        self.transitions.changed(app_id, channel, None, is_there=False)

    def member_added(self, app_id: str, channel: str, user_id: str) -> None:
        self.transitions.changed(app_id, channel, user_id, is_there=True)

    def member_removed(self, app_id: str, channel: str, user_id: str) -> None:
        self.transitions.changed(app_id, channel, user_id, is_there=False)

    def _send(self, app: App, name: str, channel: str, event: bytes, time_ms: int, sent: Sent) -> bool:
        user = event.partition(b'"user_id":"')[2].partition(b'"')[0].decode() or None
        self._clock.call_later(ACCEPTED_AFTER, lambda: self._accept(name, channel, user, sent))
        return True

    def _accept(self, name: str, channel: str, user: str | None, sent: Sent) -> None:
        if not self.is_alive:
            return
        if self._receiver.takes:
            self._receiver.told[channel, user].append((name.endswith(("occupied", "added")), self._name))
            self._receiver.order.append((name, channel, user))
        sent(self._receiver.takes)


class ReportingMember(Member):
    """A node of a cluster that reports to a receiver."""

    reporting: ReportingNode

    def __init__(
        self, bus: Bus, clock: FakeClock, receiver: Receiver, *, hold: float = HOLD, webhook: Webhook = EVERYTHING
    ) -> None:
        app = make_app(webhooks=(webhook,))

        def make(view: View, peers: Peers) -> ReportingNode:
            return ReportingNode(view, peers, clock, receiver, app, hold)

        super().__init__(bus, app, clock=clock, make_webhooks=make)
        assert isinstance(self.webhooks, ReportingNode)
        self.reporting = self.webhooks
        self.reports = self.transitions = self.webhooks.transitions

    def die(self) -> None:
        """Be gone without a word."""
        self.reporting.is_alive = False
        super().die()
