"""Sends the events of transitions to the webhook queue, and tells the other nodes when the queue has accepted them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from sockudo.apps.app import App
from sockudo.cluster.messages.state import Report, Verb
from sockudo.cluster.peers import Peers
from sockudo.pusher.webhooks import member_event, occupancy_event
from sockudo.timing.clock import Clock, is_due
from sockudo.webhooks.base import Sent
from sockudo.webhooks.reporting.pending import Key, Transition


class Send(Protocol):
    """Sends an event to the webhooks that want it; returns False, without a call of `sent`, if none does."""

    def __call__(self, app: App, name: str, channel: str, event: bytes, time_ms: int, sent: Sent) -> bool: ...


class Outgoing:
    """Sends the events of transitions.

    Args:
        accepted: called when the queue has accepted the event of a transition.
        refused: called when the queue has not.

    Attributes:
        transitions: the transitions whose events the queue has not accepted yet.
    """

    def __init__(
        self,
        send: Send,
        peers: Peers,
        clock: Clock,
        accepted: Callable[[Key, Transition], None],
        refused: Callable[[Key, Transition], None],
    ) -> None:
        self.transitions: dict[Key, Transition] = {}
        self._send = send
        self._peers = peers
        self._clock = clock
        self._accepted = accepted
        self._refused = refused
        self._reported: list[Report] = []
        # Apps whose events the queue refuses -> until when this sends none; later events wait behind the refused ones.
        self._blocked: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self.transitions)

    def __contains__(self, key: Key) -> bool:
        return key in self.transitions

    def has_room(self, key: Key) -> bool:
        """Return whether the event of a key can be sent: no other one is on its way, and the queue takes events."""
        if key in self.transitions:
            return False
        if not is_due(self._blocked.get(key[0], 0.0), self._clock.monotonic()):
            return False
        self._blocked.pop(key[0], None)
        return True

    def block(self, app_id: str, seconds: float) -> None:
        """Send no events of an app for a while."""
        self._blocked[app_id] = self._clock.monotonic() + seconds

    def send(self, app: App, name: str, key: Key, transition: Transition) -> None:
        """Send the event `name` of a transition."""
        _, channel, user_id = key
        time_ms = int(transition.since * 1000)
        if user_id is None:
            event = occupancy_event(name, channel, time_ms)
        else:
            event = member_event(name, channel, user_id, time_ms)
        self.transitions[key] = transition
        if not self._send(app, name, channel, event, time_ms, partial(self._sent, key, transition)):
            del self.transitions[key]

    def announce(self, report: Report) -> None:
        """Tell the other nodes at the end of the tick that a transition has been reported."""
        if not self._reported:
            self._clock.call_soon(self.announce_now)
        self._reported.append(report)

    def announce_now(self) -> None:
        """Tell the other nodes now which transitions have been reported since the last announcement."""
        if self._reported:
            reported, self._reported = self._reported, []
            self._peers.report(Verb.REPORTED, reported)

    def _sent(self, key: Key, transition: Transition, is_accepted: bool) -> None:
        del self.transitions[key]
        (self._accepted if is_accepted else self._refused)(key, transition)
