"""Transitions as nodes report them to each other, and what their events are called."""

from __future__ import annotations

from typing import Protocol

from sockudo.apps.app import App
from sockudo.cluster.messages.state import Report
from sockudo.pusher.webhooks import CHANNEL_OCCUPIED, CHANNEL_VACATED, MEMBER_ADDED, MEMBER_REMOVED
from sockudo.webhooks.reporting.app_lookup import ASKED, Asked
from sockudo.webhooks.reporting.pending import Key, Transition


def event_names(user_id: str | None) -> tuple[str, str]:
    """Return what the coming and the going of a channel (None), or of a member, are called."""
    return (CHANNEL_OCCUPIED, CHANNEL_VACATED) if user_id is None else (MEMBER_ADDED, MEMBER_REMOVED)


class MergedView(Protocol):
    """What all nodes of the cluster have together."""

    def is_occupied(self, app_id: str, name: str) -> bool:
        """Tell whether a channel has any subscriber."""
        ...

    def has_member(self, app_id: str, name: str, user_id: str) -> bool:
        """Tell whether a user is on a presence channel."""
        ...


def is_there(view: MergedView, key: Key) -> bool:
    """Tell whether a channel is occupied, or a member is there."""
    app_id, channel, user_id = key
    return view.is_occupied(app_id, channel) if user_id is None else view.has_member(app_id, channel, user_id)


def key_of(report: Report) -> Key:
    """Return what a report is about."""
    return report.app_id, report.name, report.user_id


def report_of(key: Key, transition: Transition) -> Report:
    """Return a transition as a report."""
    app_id, channel, user_id = key
    return Report(app_id, channel, user_id, transition.is_there, transition.since)


def may_have_webhooks(app: App | Asked | None) -> bool:
    """Tell whether an app has webhooks; an app that is being asked for counts as one that has."""
    return app is ASKED or (app is not None and bool(app.webhooks))
