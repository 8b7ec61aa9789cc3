"""Counts refused connections and messages by the kinds that the metric `connection_errors_total` has."""

from __future__ import annotations

from typing import Final

from sockudo.apps.app import App
from sockudo.hub.totals import UNKNOWN, Totals
from sockudo.pusher.codes import Code
from sockudo.pusher.errors import CloseConnection

UPGRADE_FAILED: Final = "websocket_upgrade_failed"
UPGRADE_ERROR: Final = "websocket_upgrade_error"
SOCKET_FAILED: Final = "socket_handling_failed"
APP_NOT_FOUND: Final = "app_not_found"
APP_DISABLED: Final = "app_disabled"
APP_INVALID: Final = "app_validation_failed"
ORIGIN: Final = "origin_not_allowed"
FORMAT: Final = "invalid_message_format"
PARSE: Final = "message_parse_error"
AUTHENTICATION: Final = "authentication_failed"

# What a connection can be refused with; only an origin is refused with this code at that point.
_OF_CODE: Final[dict[int, str]] = {
    Code.APP_UNKNOWN: APP_NOT_FOUND,
    Code.APP_DISABLED: APP_DISABLED,
    Code.OVER_QUOTA: APP_INVALID,
    Code.UNAUTHORIZED: ORIGIN,
}


def count_refusal(totals: Totals, app: App | CloseConnection | None, problem: CloseConnection) -> None:
    """Count a connection that is refused; an app that could not be looked up, or does not exist, is not named."""
    kind = APP_INVALID if isinstance(app, CloseConnection) else _OF_CODE.get(problem.code, SOCKET_FAILED)
    totals[app_label(app)].errors[kind] += 1


def app_label(app: object) -> str:
    """Return the id of an app that exists, else what all others are counted as."""
    return app.id if isinstance(app, App) else UNKNOWN
