"""Names the kinds of refused connections and messages, as the metric `connection_errors_total` counts them."""

from __future__ import annotations

from typing import Final

from sockudo.apps.app import App
from sockudo.hub.totals import UNKNOWN, AppTotals, Totals
from sockudo.pusher.codes import Code
from sockudo.pusher.errors import (
    CloseConnection,
    EventNameMissing,
    MessageUnreadable,
    PusherError,
    SubscriptionRejected,
)

UPGRADE_FAILED: Final = "websocket_upgrade_failed"
UPGRADE_ERROR: Final = "websocket_upgrade_error"
SOCKET_FAILED: Final = "socket_handling_failed"
APP_NOT_FOUND: Final = "app_not_found"
APP_DISABLED: Final = "app_disabled"
APP_INVALID: Final = "app_validation_failed"
ORIGIN: Final = "origin_not_allowed"
FORMAT: Final = "invalid_message_format"
PARSE: Final = "message_parse_error"
NAMELESS: Final = "missing_event_name"
# No signature, or a wrong one.
AUTHENTICATION: Final = "authentication_failed"
# The data of a user or a member cannot be used, whether signed or not.
AUTHENTICATION_DATA: Final = "authentication_error"

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


def count_refused(totals: AppTotals, refused: PusherError) -> None:
    """Count a message that is refused; limits and names of channels have other metrics, or none."""
    kind = _kind_of(refused)
    if kind:
        totals.errors[kind] += 1


def _kind_of(refused: PusherError) -> str:
    match refused:
        case EventNameMissing():
            return NAMELESS
        case MessageUnreadable():
            return PARSE
        case SubscriptionRejected(status=401):
            return AUTHENTICATION
        case SubscriptionRejected(kind="InvalidMessage"):
            return AUTHENTICATION_DATA
        case CloseConnection(code=Code.UNAUTHORIZED):
            return AUTHENTICATION if refused.signed_text else AUTHENTICATION_DATA
    return ""


def app_label(app: object) -> str:
    """Return the id of an app that exists, else what all others are counted as."""
    return app.id if isinstance(app, App) else UNKNOWN
