"""Looks up the current app of an open connection, so that changes in a database reach connected clients."""

from __future__ import annotations

from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.eventual import Future
from sockudo.hub.connection import Connection
from sockudo.pusher.codes import Code


class AppGone(Exception):
    """The app has been deleted or disabled since the connection was opened.

    Attributes:
        code: how a connection that is opened now would be refused.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def current_app(apps: AppManager, connection: Connection, *, has_waited: bool) -> App | Future[App | None]:
    """Return the app and let the connection have it from now on.

    A future is to be waited for, whether it fails or not; then this is to be called again, with `has_waited`.

    Raises:
        AppGone: nothing new may be allowed in its name.
    """
    app_id = connection.app.id
    # After a question that failed, what is known has to do.
    app = apps.known(app_id) if has_waited else apps.by_id(app_id)
    if isinstance(app, Future):
        return app
    if app is None:
        raise AppGone("Application does not exist any more", Code.APP_UNKNOWN)
    if not app.enabled:
        raise AppGone("Application disabled", Code.APP_DISABLED)
    connection.app = app
    return app
