"""One authenticated call of the HTTP API, as handlers get it: the request, its app and its query."""

from __future__ import annotations

from typing import NamedTuple

from sockudo.api.messages import Request
from sockudo.apps.app import App
from sockudo.pusher.query import Query


class Call(NamedTuple):
    """What a handler gets.

    Attributes:
        app: the app that the call acts on.
        names: the decoded parts of the path after the app id that are names: a channel, a user id.
    """

    app: App
    request: Request
    query: Query
    names: tuple[str, ...] = ()
