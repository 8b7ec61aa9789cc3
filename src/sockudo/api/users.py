"""The handler of the HTTP API that terminates the connections of a user.

Source: Pusher docs, `library_auth_reference/rest-api` ("POST terminate user connections").
"""

from __future__ import annotations

from sockudo.api.call import Call
from sockudo.api.messages import EMPTY_OBJECT, Response
from sockudo.node.node import Node
from sockudo.pusher.errors import RequestRejected


class UserHandlers:
    """`POST /users/USER/terminate_connections`."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def terminate_connections(self, call: Call) -> Response:
        """End every connection of a user."""
        (user_id,) = call.names
        if not user_id.strip():
            raise RequestRejected(400, "Invalid request: 'user_id' cannot be empty.")
        self._node.terminate_user(call.app, user_id)
        return EMPTY_OBJECT
