"""Changes as nodes report them to each other, and what their events are called."""

from __future__ import annotations

from sockudo.apps.app import App
from sockudo.cluster.state import Report
from sockudo.pusher.webhooks import CHANNEL_OCCUPIED, CHANNEL_VACATED, MEMBER_ADDED, MEMBER_REMOVED
from sockudo.webhooks.reporting.app_lookup import ASKED, Asked
from sockudo.webhooks.reporting.pending import Change, Key


def event_names(user_id: str | None) -> tuple[str, str]:
    """Return what the coming and the going of a channel (None), or of a member, are called."""
    return (CHANNEL_OCCUPIED, CHANNEL_VACATED) if user_id is None else (MEMBER_ADDED, MEMBER_REMOVED)


def key_of(report: Report) -> Key:
    """Return what a report is about."""
    return report.app_id, report.name, report.user_id


def report_of(key: Key, change: Change) -> Report:
    """Return a change as a report."""
    app_id, channel, user_id = key
    return Report(app_id, channel, user_id, change.is_there, change.since)


def may_have_webhooks(app: App | Asked | None) -> bool:
    """Tell whether an app has webhooks; an app that is being asked for counts as one that has."""
    return app is ASKED or (app is not None and bool(app.webhooks))
