"""Decides which node reports a change of a channel or member to webhook receivers, and when.

The words of this folder:

* A **transition** is a channel that has become occupied or vacant, or a member that has come or gone.
* It is **reported** when the webhook queue has accepted its event, and **pending** before.
* A channel or member that is gone may come back soon, so its transition is **held** for a while before it is **due**.
* The **owner** of a channel is the node that reports its transitions. All nodes agree on it (`cluster.nodes`).
* A transition that is pending for long is **overdue**: the owner may not know of it, so other nodes remind it.

Every node sees every transition of the merged view, and keeps those that are not reported yet. The owner sends them:
arrivals at once, departures after the hold. When its queue has accepted an event, it tells all nodes, and they forget
the transition. Until then each of them keeps it, so that the next owner sends it if this one dies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sockudo.apps.app import App
from sockudo.apps.webhook import is_wanted
from sockudo.cluster.handler import ReportHandler
from sockudo.cluster.messages.state import Report, Reports, Verb
from sockudo.cluster.peers import Peers
from sockudo.timing.clock import Clock
from sockudo.webhooks.reporting.alarm import Alarm
from sockudo.webhooks.reporting.app_lookup import ASKED, Asked
from sockudo.webhooks.reporting.handover import Handover
from sockudo.webhooks.reporting.outgoing import Outgoing, Send
from sockudo.webhooks.reporting.pending import Key, Pending, Transition
from sockudo.webhooks.reporting.recent import Recent
from sockudo.webhooks.reporting.reports import MergedView, event_names, is_there, key_of, may_have_webhooks, report_of
from sockudo.webhooks.reporting.settling import SettlingTimes
from sockudo.webhooks.reporting.takeover import Takeover

# The pause between two checks of a transition that its owner should have reported.
_LOOK_AGAIN: Final = 1.0
# The most checks per second: if very many transitions wait for their owners, each is checked less often.
_LOOKS_A_SECOND: Final = 5000
# By then the owner has reported a transition that it knows.
_OVERDUE_AFTER: Final = 2.0
# How long a transition may be on its way from the node where it happened, after another node has reported it already.
_LAG: Final = 1.0
# The most transitions of one turn of the event loop, and how many are taken at a time while there is time.
_SLICE: Final = 250
_AT_ONCE: Final = 10
_SLICE_SECONDS: Final = 0.005


class Transitions(ReportHandler):
    """The pending transitions of this node.

    Args:
        find_app: finds an app by its id, or starts its look-up.
    """

    def __init__(
        self,
        find_app: Callable[[str], App | Asked | None],
        view: MergedView,
        peers: Peers,
        clock: Clock,
        send: Send,
        *,
        hold: float,
        times: SettlingTimes,
    ) -> None:
        self._find_app = find_app
        self._view = view
        self._peers = peers
        self._clock = clock
        self._hold = hold
        self._times = times
        self._pending = Pending()
        self._recent = Recent(clock)
        self._outgoing = Outgoing(send, peers, clock, self._accepted, self._refused)
        handover = Handover(self._pending, self._outgoing.transitions, peers, clock, self._has_webhooks)
        self._takeover = Takeover(peers, clock, times, handover, self)
        self._alarm = Alarm(clock, self._report_due)

    @property
    def waiting(self) -> int:
        """The number of transitions that have not been reported yet."""
        return len(self._pending) + len(self._outgoing)

    @property
    def dropped(self) -> int:
        """The number of transitions that did not fit, and are never reported."""
        return self._pending.dropped

    # Changes of the cluster and of channels

    def begin(self) -> None:
        """Note that this node has joined the others: everything that it has learnt until now was reported before."""
        self._takeover.begin()

    def met(self, *, is_older: bool) -> None:
        """Note the first message of another node."""
        self._takeover.met(is_older=is_older)

    def rejoined(self) -> None:
        """Note that this node was cut off from the others, and is back."""
        if self._takeover.has_begun:
            # The others may have reported the opposite meanwhile.
            self._recent.keep_only(self._times.missed)
            self._takeover.rejoined()

    def changed(self, app_id: str, channel: str, user_id: str | None, *, is_there: bool) -> None:
        """Note that a channel has become occupied or vacant, or that a member has come or gone."""
        app = self._find_app(app_id)
        if not may_have_webhooks(app):
            return
        key = (app_id, channel, user_id)
        if self._pending.discard(key):
            # Receivers never got the event of the earlier transition.
            return
        if not isinstance(app, App) or any(is_wanted(app.webhooks, name, channel) for name in event_names(user_id)):
            self._keep(key, Transition(is_there, self._clock.now(), 0.0, 0.0))

    def resume(self) -> None:
        """Go on with all transitions that waited for the look-up of an app, or for the other nodes."""
        self._pending.look_at_all()
        self._report_due()

    def release(self) -> None:
        """Report held transitions at once: this is the last node, and it leaves."""
        self._pending.release()
        self._report_due()

    def stop(self) -> None:
        """Report no more transitions."""
        self._takeover.stop()
        self._alarm.stop()

    def announce_reported(self) -> None:
        """Tell the other nodes now which transitions this node has reported."""
        self._outgoing.announce_now()

    # Messages of other nodes

    def reported(self, node_id: str, said: Reports) -> None:
        """Take a message of another node about transitions."""
        match said.verb:
            case Verb.REPORTED:
                for report in said.reports:
                    self._reported_elsewhere(report)
            case Verb.OVERDUE:
                for report in said.reports:
                    self._reminded(report)
            case Verb.ASK:
                self._takeover.asked(node_id, said)
            case Verb.PENDING:
                self._takeover.answered(node_id, said)

    def _reported_elsewhere(self, report: Report) -> None:
        """Note that another node has reported a transition."""
        key = key_of(report)
        self._recent.add(key, report.is_there)
        if report.is_there == is_there(self._view, key):
            self._pending.discard(key)
        elif key not in self._pending and key not in self._outgoing and self._has_webhooks(report.app_id):
            # The transition is undone already, or has not arrived here yet.
            self._keep(key, Transition(not report.is_there, self._clock.now(), 0.0, 0.0), lag=_LAG)

    def _reminded(self, report: Report) -> None:
        """Report a transition that another node says is overdue, if this node is the owner."""
        key = key_of(report)
        if not self._takeover.is_over or not self._peers.is_owner(report.app_id, report.name):
            return
        if key in self._pending or key in self._outgoing or is_there(self._view, key) is not report.is_there:
            return
        if self._recent.last(key) is report.is_there:
            self._outgoing.announce(report)
        else:
            self._report(key, Transition(report.is_there, report.since, self._clock.monotonic(), 0.0))

    def start_over(self) -> None:
        """Forget pending transitions, because another node's list replaces them.

        Transitions that undo a report of this node which no other node has received stay.
        """
        own = [(key, change) for key, change in self._pending if self._recent.last(key) is (not change.is_there)]
        self._pending.clear()
        for key, transition in own:
            self._keep(key, transition)

    def adopt(self, key: Key, report: Report) -> None:
        """Take a transition that another node has pending."""
        here = self._pending.find(key)
        if here is not None and here.is_there is not report.is_there:
            # It was undone meanwhile, and receivers never got its event.
            self._pending.discard(key)
            return
        is_news = here is None and key not in self._outgoing
        if is_news and self._recent.last(key) is not report.is_there and is_there(self._view, key) is report.is_there:
            self._keep(key, Transition(report.is_there, report.since, 0.0, 0.0))

    # Reporting

    def _keep(self, key: Key, transition: Transition, lag: float = 0.0) -> None:
        """Keep a new transition, and report it when it is due: at once, after the hold, or after `lag` seconds."""
        now = self._clock.monotonic()
        if not transition.is_there and self._hold:
            due = now + self._hold
            self._pending.hold(key, transition._replace(due=due, next_look=due))
            self._set_alarm()
        elif lag:
            self._postpone(key, transition._replace(due=now), lag)
        else:
            self._report(key, transition._replace(due=now))

    def _report_due(self) -> None:
        """Check the transitions that have come due, and those that have been due for a while."""
        now = self._clock.monotonic()
        overdue: list[Report] = []
        for _ in range(_SLICE // _AT_ONCE):
            released = self._pending.take_released(now, _AT_ONCE)
            due = self._pending.take_due(now, _AT_ONCE)
            for key, transition in released:
                self._report(key, transition)
            for key, transition in due:
                is_others = self._report(key, transition)
                if is_others and now - transition.due >= _OVERDUE_AFTER and self._takeover.is_over:
                    overdue.append(report_of(key, transition))
            if not (released or due) or self._clock.monotonic() - now > _SLICE_SECONDS:
                break
        if overdue:
            self._peers.report(Verb.OVERDUE, overdue)
        self._set_alarm()

    def _report(self, key: Key, transition: Transition) -> bool:
        """Report a transition if this node is the owner, else keep it; return whether another node is the owner."""
        app_id, channel, user_id = key
        app = self._find_app(app_id)
        name = event_names(user_id)[not transition.is_there]
        if app is None or is_there(self._view, key) is not transition.is_there:
            return False
        if app is ASKED:
            self._postpone(key, transition, _LOOK_AGAIN)
            return False
        if not is_wanted(app.webhooks, name, channel):
            return False
        # Cut off from the others, this node would report all their channels as vacated.
        if not (self._takeover.is_over and self._outgoing.has_room(key) and self._peers.is_healthy):
            self._postpone(key, transition, _LOOK_AGAIN)
            return False
        if not self._peers.is_owner(app_id, channel):
            self._postpone(key, transition, max(_LOOK_AGAIN, len(self._pending) / _LOOKS_A_SECOND))
            return True
        self._outgoing.send(app, name, key, transition)
        return False

    def _accepted(self, key: Key, transition: Transition) -> None:
        self._recent.add(key, transition.is_there)
        self._outgoing.announce(report_of(key, transition))
        later = self._pending.take_one(key)
        if later is not None:
            self._report(key, later)

    def _refused(self, key: Key, transition: Transition) -> None:
        if not self._pending.discard(key):
            self._outgoing.block(key[0], _LOOK_AGAIN)
            self._postpone(key, transition, _LOOK_AGAIN)

    def _postpone(self, key: Key, transition: Transition, seconds: float) -> None:
        self._pending.put(key, transition._replace(next_look=self._clock.monotonic() + seconds))
        self._set_alarm()

    def _set_alarm(self) -> None:
        at = self._pending.next_look()
        if at is not None:
            self._alarm.set(at)

    def _has_webhooks(self, app_id: str) -> bool:
        return may_have_webhooks(self._find_app(app_id))
