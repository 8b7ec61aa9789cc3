"""Handlers of the HTTP API that answer questions about channels and their users.

Source: Pusher docs, `library_auth_reference/rest-api` ("GET channels" and following) and `rest-api-deprecated`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sockudo.api.call import Call
from sockudo.api.channel_answers import ChannelAnswers
from sockudo.api.messages import Response, json_response
from sockudo.eventual import Eventual, then
from sockudo.node.queries import Queries
from sockudo.node.quotas import AppQuotas
from sockudo.pusher.channels import ChannelKind, InvalidChannelName, parse_channel
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.triggers import parse_info

_encoder: Final = msgspec.json.Encoder()

_PRESENCE_ONLY = "user_count is only available for presence channels"


class ChannelHandlers:
    """`GET /channels`, `/channels/CHANNEL`, `/channels/CHANNEL/users`, the deprecated `/channels/CHANNEL/stats`, and
    `/connections`, which Laravel Reverb has and its monitoring asks for."""

    def __init__(
        self, queries: Queries, quotas: AppQuotas, answers: ChannelAnswers, *, unknown_channel_not_found: bool
    ) -> None:
        self._queries = queries
        self._answers = answers
        self._quotas = quotas
        self._unknown_channel_not_found = unknown_channel_not_found

    def channels(self, call: Call) -> Eventual[Response]:
        """List the occupied channels of an app."""
        self._quotas.take_read(call.app)
        prefix = call.query.last.get("filter_by_prefix", "")
        info = parse_info(call.query.last.get("info"))
        if "user_count" in info and not prefix.startswith("presence-"):
            raise RequestRejected(400, f"{_PRESENCE_ONLY}. Use filter_by_prefix=presence-.")
        return self._answers.occupied(call.app.id, prefix, info)

    def channel(self, call: Call) -> Eventual[Response]:
        """Tell of one channel whether it is occupied, and what else is asked."""
        name, kind = self._named_channel(call)
        info = parse_info(call.query.last.get("info"))
        if "user_count" in info and not kind.presence:
            raise RequestRejected(400, _PRESENCE_ONLY)
        self._check_known(call, name)
        return then(self._queries.attributes(call.app.id, name, kind, info | {"occupied"}), json_response)

    def users(self, call: Call) -> Response:
        """List the users on a presence channel."""
        name, kind = self._named_channel(call)
        if not kind.presence:
            raise RequestRejected(400, "Only presence channels support this endpoint")
        self._check_known(call, name)
        return Response(200, _users(self._queries.users(call.app.id, name)))

    def connections(self, call: Call) -> Response:
        """Tell how many connections an app has, on all nodes."""
        self._quotas.take_read(call.app)
        return json_response({"connections": self._queries.connection_count(call.app.id)})

    def stats(self, call: Call) -> Eventual[Response]:
        """Tell every count of one channel."""
        name, kind = self._named_channel(call)
        info = frozenset({"occupied", "user_count", "subscription_count"})
        return then(self._queries.attributes(call.app.id, name, kind, info), json_response)

    def _named_channel(self, call: Call) -> tuple[str, ChannelKind]:
        self._quotas.take_read(call.app)
        (name,) = call.names
        try:
            return name, parse_channel(name, call.app.publishing.max_channel_name_length)
        except InvalidChannelName as problem:
            raise RequestRejected(400, str(problem)) from None

    def _check_known(self, call: Call, name: str) -> None:
        if self._unknown_channel_not_found and not self._queries.is_occupied(call.app.id, name):
            raise RequestRejected(404, "Channel not found: nobody is on it (http_api.unknown_channel_not_found)")


def _users(ids: list[str]) -> bytes:
    """Return `{"users":[{"id":ID}]}`.

    A list of 1000 objects takes ten times as long to make and encode as their ids, one a line: no text has a line feed.
    """
    if not ids:
        return b'{"users":[]}'
    return b'{"users":[{"id":%b}]}' % _encoder.encode_lines(ids)[:-1].replace(b"\n", b'},{"id":')
