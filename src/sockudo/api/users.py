"""The handlers of the HTTP API that end the connections of a user.

Source: Pusher docs, `library_auth_reference/rest-api` ("POST terminate user connections").
"""

from __future__ import annotations

from sockudo.api.call import Call
from sockudo.api.messages import EMPTY_OBJECT, Response
from sockudo.node.node import Node
from sockudo.pusher.errors import RequestRejected


class UserHandlers:
    """`POST /users/USER/terminate_connections` and `POST /users/USER/force_reconnect`."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def terminate_connections(self, call: Call) -> Response:
        """End every connection of a user."""
        self._node.terminate_user(call.app, _user_id(call))
        return EMPTY_OBJECT

    def force_reconnect(self, call: Call) -> Response:
        """End every connection of a user; the clients connect again at once."""
        self._node.reconnect_user(call.app, _user_id(call))
        return EMPTY_OBJECT


def _user_id(call: Call) -> str:
    (user_id,) = call.names
    if not user_id.strip():
        raise RequestRejected(400, "Invalid request: 'user_id' cannot be empty.")
    return user_id
