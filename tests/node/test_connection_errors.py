from __future__ import annotations

import pytest

from sockudo.apps.app import App
from sockudo.hub.totals import Totals
from sockudo.node.connection_errors import count_refusal
from sockudo.pusher.codes import Code
from sockudo.pusher.errors import CloseConnection
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
