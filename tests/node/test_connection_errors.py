from __future__ import annotations

import pytest

from sockudo.apps.app import App
from sockudo.hub.totals import AppTotals, Totals
from sockudo.node.connection_errors import count_refusal, count_refused
from sockudo.pusher.codes import Code
from sockudo.pusher.errors import (
    CloseConnection,
    CommandRejected,
    EventNameMissing,
    MessageUnreadable,
    PusherError,
    SubscriptionRejected,
)
from tests.fakes.node import make_app

APP = make_app()
UNAVAILABLE = CloseConnection(Code.OVER_CAPACITY, "the store is away")


@pytest.mark.parametrize(
    ("app", "code", "label", "kind"),
    [
        (None, Code.APP_UNKNOWN, "unknown", "app_not_found"),
        (UNAVAILABLE, Code.OVER_CAPACITY, "unknown", "app_validation_failed"),
        (APP, Code.APP_DISABLED, APP.id, "app_disabled"),
        (APP, Code.UNAUTHORIZED, APP.id, "origin_not_allowed"),
        (APP, Code.OVER_QUOTA, APP.id, "app_validation_failed"),
        (APP, Code.RECONNECT, APP.id, "socket_handling_failed"),
    ],
)
def test_a_refusal_is_counted_for_apps_that_exist(
    app: App | CloseConnection | None, code: Code, label: str, kind: str
) -> None:
    totals = Totals()
    count_refusal(totals, app, CloseConnection(code, "why"))
    assert {app_id: dict(one.errors) for app_id, one in totals.items()} == {label: {kind: 1}}


@pytest.mark.parametrize(
    ("refused", "kinds"),
    [
        (MessageUnreadable("x"), ["message_parse_error"]),
        (EventNameMissing("x"), ["missing_event_name"]),
        (SubscriptionRejected("private-x", "AuthError", "x", 401), ["authentication_failed"]),
        (SubscriptionRejected("presence-x", "InvalidMessage", "x", 400), ["authentication_error"]),
        (SubscriptionRejected("presence-x", "LimitReached", "x", 4004), []),
        (CloseConnection(Code.UNAUTHORIZED, "x").about_signature(b"signed"), ["authentication_failed"]),
        (CloseConnection(Code.UNAUTHORIZED, "x"), ["authentication_error"]),
        (CommandRejected("x", 4301), []),
    ],
)
def test_a_refused_message_is_counted_by_what_is_wrong(refused: PusherError, kinds: list[str]) -> None:
    totals = AppTotals()
    count_refused(totals, refused)
    assert dict(totals.errors) == dict.fromkeys(kinds, 1)
