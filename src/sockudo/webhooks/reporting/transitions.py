"""Decides which comings and goings of channels and members the outside is told of, by whom and when.

Every node sees every change of the merged view, and keeps those of which receivers believe the opposite. The owner of
a channel sends them: what has come at once, what is gone after a while, if it is still gone then. When its queue has
accepted an event, it says so to all nodes, and they forget the change. Until then each of them keeps it, so that the
next owner sends it should this one die.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from sockudo.apps.app import App
from sockudo.apps.webhook import is_wanted
from sockudo.cluster.peers import Peers
from sockudo.cluster.slices import Steps
from sockudo.cluster.state import Report, Reports, Verb
from sockudo.pusher.webhooks import member_event, occupancy_event
from sockudo.timing.clock import Clock, Handle, is_due
from sockudo.webhooks.base import Sent
from sockudo.webhooks.reporting.app_lookup import ASKED, Asked
from sockudo.webhooks.reporting.handover import Handover
from sockudo.webhooks.reporting.pending import Change, Key, Pending
from sockudo.webhooks.reporting.recent import Recent
from sockudo.webhooks.reporting.reports import event_names, key_of, may_have_webhooks, report_of
from sockudo.webhooks.reporting.settling import Settling, SettlingTimes

# A change that its owner should have reported is looked at again.
_LOOK: Final = 1.0
# Where very many wait for their owners, each of them is looked at less often.
_LOOKS_A_SECOND: Final = 5000
# By then the owner has reported a change that it knows of.
_CLAIM_AFTER: Final = 2.0
# How long a change may be on its way from the node where it happened, after somebody else has reported it already.
_LAG: Final = 1.0
# Changes that are looked at before the event loop goes on: so many at most, some at a time while there is time.
_SLICE: Final = 250
_AT_ONCE: Final = 10
_SLICE_SECONDS: Final = 0.005
# What was pending before a node came has been told by then.
_SURE_AFTER: Final = 60.0


class Truth(Protocol):
    """The merged view of the cluster."""

    def is_occupied(self, app_id: str, name: str) -> bool:
        """Tell whether a channel has any subscriber."""
        ...

    def has_member(self, app_id: str, name: str, user_id: str) -> bool:
        """Tell whether a user is on a presence channel."""
        ...


class Send(Protocol):
    """Sends an event to the webhooks that want it; false where none does, and `sent` is not called then."""

    def __call__(self, app: App, name: str, channel: str, event: bytes, time_ms: int, sent: Sent) -> bool: ...


class Transitions:
    """The comings and goings that this node knows and the outside does not.

    Args:
        find_app: finds an app by its id, or says that it is being asked for.
    """

    def __init__(
        self,
        find_app: Callable[[str], App | Asked | None],
        truth: Truth,
        peers: Peers,
        clock: Clock,
        send: Send,
        *,
        hold: float,
        times: SettlingTimes,
    ) -> None:
        self._find_app = find_app
        self._truth = truth
        self._peers = peers
        self._clock = clock
        self._send = send
        self._hold = hold
        self._times = times
        self._settling = Settling(peers, clock, times, self._ask, self._settled)
        self._answer: Reports | None = None
        # What was pending elsewhere is being taken over.
        self._is_adopting = False
        self._has_settled = False
        # From when on what this node has for pending is good enough for others.
        self._sure_from = float("inf")
        self._has_begun = False
        self._born_at = clock.monotonic()
        self._pending = Pending()
        # What the dispatcher has, and the queue has not accepted yet.
        self._sending: dict[Key, Change] = {}
        self._handover = Handover(self._pending, self._sending, peers, clock, self._has_webhooks)
        self._told: list[Report] = []
        self._recent = Recent(clock)
        # Apps of which the queue takes nothing, and until when; what comes meanwhile waits behind what it did not take.
        self._blocked: dict[str, float] = {}
        self._timer: Handle | None = None
        self._timer_at = float("inf")

    @property
    def waiting(self) -> int:
        """How many changes the outside has not been told yet."""
        return len(self._pending) + len(self._sending)

    @property
    def dropped(self) -> int:
        """How many changes did not fit, and are never told."""
        return self._pending.dropped

    @property
    def _is_settled(self) -> bool:
        return self._settling.is_over and not self._is_adopting

    @property
    def _is_sure(self) -> bool:
        return self._clock.monotonic() >= self._sure_from

    # What happens here and elsewhere

    def begin(self) -> None:
        """Note that this node has joined the others: what it has learnt until now is no news."""
        self._has_begun = True
        self._settling.begin(0.0)

    def met(self, *, is_older: bool) -> None:
        """Note that another node has been heard for the first time."""
        if self._has_begun and is_older and self._clock.monotonic() - self._born_at < self._times.youth:
            self._settling.begin(self._times.hello)

    def rejoined(self) -> None:
        """Note that this node was cut off from the others, and is back."""
        if self._has_begun:
            # What was told before may have been revoked by the others meanwhile.
            self._recent.keep_only(self._times.missed)
            self._settling.begin(self._times.hello)

    def changed(self, app_id: str, channel: str, user_id: str | None, *, is_there: bool) -> None:
        """Note that a channel has become occupied or vacant, or that a member has come or gone."""
        app = self._find_app(app_id)
        if not may_have_webhooks(app):
            return
        key = (app_id, channel, user_id)
        if self._pending.discard(key):
            # Receivers never heard that it was otherwise.
            return
        if not isinstance(app, App) or any(is_wanted(app.webhooks, name, channel) for name in event_names(user_id)):
            self._take(key, Change(is_there, self._clock.now(), 0.0, 0.0))

    def app_looked_up(self) -> None:
        """Go on with what waited for an app that was asked for."""
        self._pending.look_at_all()
        self._look()

    def release(self) -> None:
        """Tell at once what is held: this is the last node, and it leaves."""
        self._pending.release()
        self._look()

    def stop(self) -> None:
        """Tell nothing any more."""
        self._settling.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # What other nodes say

    def reported(self, node_id: str, said: Reports) -> None:
        """Take what another node says about reports."""
        match said.verb:
            case Verb.TOLD:
                for report in said.reports:
                    self._heard(report)
            case Verb.CLAIM:
                for report in said.reports:
                    self._claimed(report)
            case Verb.ASK:
                if self._has_begun and self._is_settled and self._peers.is_healthy:
                    self._handover.answer(node_id, {node_id, *said.nodes}, lambda: self._is_sure)
            case Verb.PENDING if self._settling.has_asked:
                self._answered(self._handover.heard(node_id, said))

    def _answered(self, answer: Reports | None) -> None:
        if answer is None:
            return
        # One that comes back knows more than one that has only come.
        if answer.is_sure or not self._has_settled:
            self._answer = answer
        if answer.is_sure:
            self._settling.end()

    def _heard(self, report: Report) -> None:
        """Note that somebody has told the outside."""
        key = key_of(report)
        self._recent.add(key, report.is_there)
        if report.is_there == self._is_there(key):
            self._pending.discard(key)
        elif key not in self._pending and key not in self._sending and self._has_webhooks(report.app_id):
            # It is over already, or has not arrived here yet.
            self._take(key, Change(not report.is_there, self._clock.now(), 0.0, 0.0), lag=_LAG)

    def _claimed(self, report: Report) -> None:
        """Take care of a change that another node thinks is forgotten, if this node is to tell it."""
        key = key_of(report)
        if not self._is_settled or not self._peers.is_owner(report.app_id, report.name):
            return
        if key in self._pending or key in self._sending or self._is_there(key) is not report.is_there:
            return
        if self._recent.last(key) is report.is_there:
            self._say_told(report)
        else:
            self._due(key, Change(report.is_there, report.since, self._clock.monotonic(), 0.0))

    def _ask(self) -> None:
        self._peers.report(Verb.ASK, [])

    def _adopt(self, key: Key, report: Report) -> None:
        """Take a change that another node has for pending."""
        here = self._pending.find(key)
        if here is not None and here.is_there is not report.is_there:
            # It was undone meanwhile, and receivers never heard of it.
            self._pending.discard(key)
            return
        is_news = here is None and key not in self._sending
        if is_news and self._recent.last(key) is not report.is_there and self._is_there(key) is report.is_there:
            self._take(key, Change(report.is_there, report.since, 0.0, 0.0))

    # Telling the outside

    def _take(self, key: Key, change: Change, lag: float = 0.0) -> None:
        """Keep a new change, and tell it if that is due: at once, unless it need not be true for `lag` seconds."""
        now = self._clock.monotonic()
        if not change.is_there and self._hold:
            due = now + self._hold
            self._pending.hold(key, change._replace(due=due, next_look=due))
            self._arm()
        elif lag:
            self._postpone(key, change._replace(due=now), lag)
        else:
            self._due(key, change._replace(due=now))

    def _settled(self) -> None:
        """Go on with what the others have for pending, or with what this node has where they do not say."""
        answer, self._answer = self._answer, None
        self._handover.forget()
        is_sure = self._peers.is_alone if answer is None else answer.is_sure
        self._is_adopting = True
        if answer is not None:
            # What this node has told, and nobody has heard.
            own = [(key, change) for key, change in self._pending if self._recent.last(key) is (not change.is_there)]
            self._pending.clear()
            for key, change in own:
                self._take(key, change)
        self._handover.run("adopt", self._adopting([] if answer is None else answer.reports, is_sure=is_sure))

    def _adopting(self, reports: list[Report], *, is_sure: bool) -> Steps:
        yield from self._handover.adopt(reports, self._adopt)
        self._is_adopting = False
        self._sure_from = self._clock.monotonic() + (0.0 if is_sure else _SURE_AFTER)
        self._has_settled = True
        self._pending.look_at_all()
        self._look()

    def _look(self) -> None:
        """Go through what has come due, and what has been due for a while."""
        now = self._clock.monotonic()
        claims: list[Report] = []
        for _ in range(_SLICE // _AT_ONCE):
            released = self._pending.take_released(now, _AT_ONCE)
            due = self._pending.take_due(now, _AT_ONCE)
            for key, change in released:
                self._due(key, change)
            for key, change in due:
                if self._due(key, change) and now - change.due >= _CLAIM_AFTER and self._is_settled:
                    claims.append(report_of(key, change))
            if not (released or due) or self._clock.monotonic() - now > _SLICE_SECONDS:
                break
        if claims:
            self._peers.report(Verb.CLAIM, claims)
        self._arm()

    def _due(self, key: Key, change: Change) -> bool:
        """Tell a change if this node is to tell it, else keep it; return whether it is another node's."""
        app_id, channel, user_id = key
        app = self._find_app(app_id)
        name = event_names(user_id)[not change.is_there]
        if app is None or self._is_there(key) is not change.is_there:
            return False
        if app is ASKED:
            self._postpone(key, change, _LOOK)
            return False
        if not is_wanted(app.webhooks, name, channel):
            return False
        if not self._may_send(key):
            self._postpone(key, change, _LOOK)
            return False
        if not self._peers.is_owner(app_id, channel):
            self._postpone(key, change, max(_LOOK, len(self._pending) / _LOOKS_A_SECOND))
            return True
        time_ms = int(change.since * 1000)
        if user_id is None:
            event = occupancy_event(name, channel, time_ms)
        else:
            event = member_event(name, channel, user_id, time_ms)
        self._sending[key] = change
        if not self._send(app, name, channel, event, time_ms, partial(self._sent, key, change)):
            del self._sending[key]
        return False

    def _may_send(self, key: Key) -> bool:
        return (
            self._is_settled
            and key not in self._sending
            and not self._is_blocked(key[0])
            # Cut off from the others, it would report that all of theirs is gone.
            and self._peers.is_healthy
        )

    def _is_blocked(self, app_id: str) -> bool:
        if not is_due(self._blocked.get(app_id, 0.0), self._clock.monotonic()):
            return True
        self._blocked.pop(app_id, None)
        return False

    def _sent(self, key: Key, change: Change, is_accepted: bool) -> None:
        """Note that the queue has accepted an event, or has not."""
        del self._sending[key]
        if is_accepted:
            self._recent.add(key, change.is_there)
            self._say_told(report_of(key, change))
            later = self._pending.take_one(key)
            if later is not None:
                self._due(key, later)
        elif not self._pending.discard(key):
            self._blocked[key[0]] = self._clock.monotonic() + _LOOK
            self._postpone(key, change, _LOOK)

    def _say_told(self, report: Report) -> None:
        if not self._told:
            self._clock.call_soon(self.say_told)
        self._told.append(report)

    def say_told(self) -> None:
        """Tell the other nodes what the outside has been told."""
        if self._told:
            told, self._told = self._told, []
            self._peers.report(Verb.TOLD, told)

    def _postpone(self, key: Key, change: Change, seconds: float) -> None:
        self._pending.put(key, change._replace(next_look=self._clock.monotonic() + seconds))
        self._arm()

    def _arm(self) -> None:
        at = self._pending.next_look()
        if at is None or (self._timer is not None and self._timer_at <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._clock.call_later(max(0.0, at - self._clock.monotonic()), self._rung)

    def _rung(self) -> None:
        self._timer = None
        self._look()

    def _is_there(self, key: Key) -> bool:
        app_id, channel, user_id = key
        if user_id is None:
            return self._truth.is_occupied(app_id, channel)
        return self._truth.has_member(app_id, channel, user_id)

    def _has_webhooks(self, app_id: str) -> bool:
        return may_have_webhooks(self._find_app(app_id))
