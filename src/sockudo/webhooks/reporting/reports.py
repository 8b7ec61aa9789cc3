"""Converts transitions to the reports that nodes send each other, and names their events."""

from __future__ import annotations

from typing import Protocol

from sockudo.apps.app import App
from sockudo.cluster.messages.state import Report
from sockudo.pusher.webhooks import CHANNEL_OCCUPIED, CHANNEL_VACATED, MEMBER_ADDED, MEMBER_REMOVED
from sockudo.webhooks.reporting.app_lookup import ASKED, Asked
from sockudo.webhooks.reporting.pending import Key, Transition


def event_names(user_id: str | None) -> tuple[str, str]:
    """Return the names of the two events of a channel (None) or of a member: arrival and departure."""
    return (CHANNEL_OCCUPIED, CHANNEL_VACATED) if user_id is None else (MEMBER_ADDED, MEMBER_REMOVED)


class MergedView(Protocol):
    """The channels and members of all nodes of the cluster together."""

    def is_occupied(self, app_id: str, name: str) -> bool:
        """Return whether a channel has any subscriber."""
        ...

    def has_member(self, app_id: str, name: str, user_id: str) -> bool:
        """Return whether a user is on a presence channel."""
        ...


def is_there(view: MergedView, key: Key) -> bool:
    """Return whether a channel is occupied, or a member is there."""
    app_id, channel, user_id = key
    return view.is_occupied(app_id, channel) if user_id is None else view.has_member(app_id, channel, user_id)


def key_of(report: Report) -> Key:
    """Return the key of a report."""
    return report.app_id, report.name, report.user_id


def report_of(key: Key, transition: Transition) -> Report:
    """Return a transition as a report."""
    app_id, channel, user_id = key
    return Report(app_id, channel, user_id, transition.is_there, transition.since)


def may_have_webhooks(app: App | Asked | None) -> bool:
    """Return whether an app has webhooks; an app whose look-up is under way counts as one that has."""
    return app is ASKED or (app is not None and bool(app.webhooks))
