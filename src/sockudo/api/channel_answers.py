"""Answers that list many channels: built in slices, and bounded in size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, TypeVar

import msgspec

from sockudo.api.messages import Response
from sockudo.eventual import Eventual, Future, gathered
from sockudo.node.queries import Queries
from sockudo.pusher.channels import ChannelKind, kind_of
from sockudo.pusher.errors import RequestRejected
from sockudo.timing.slices import Slices, Steps

# Channels of one step: about 0.5 ms. A cached event may have 100 KB, and is decoded and encoded again.
_CHUNK: Final = 200
_CHUNK_WITH_CACHE: Final = 16

T = TypeVar("T")


class ChannelQuery(NamedTuple):
    """A question about one channel."""

    name: str
    kind: ChannelKind
    info: frozenset[str]


class ChannelAnswers:
    """Answers questions about channels.

    Args:
        max_bytes: how large an answer may be.
    """

    def __init__(self, queries: Queries, slices: Slices, max_bytes: int) -> None:
        self._queries = queries
        self._slices = slices
        self._max_bytes = max_bytes

    def occupied(self, app_id: str, prefix: str, info: frozenset[str]) -> Eventual[Response]:
        """Describe each occupied channel: `{"channels": {NAME: {..}}}`."""
        queries = self._queries

        def questions() -> Iterator[ChannelQuery | None]:
            for name in queries.channel_names(app_id):
                # A channel may have been left since the answer was begun.
                is_asked = name.startswith(prefix) and queries.is_occupied(app_id, name)
                yield ChannelQuery(name, kind_of(name), info) if is_asked else None

        return self._run(queries.channel_count(app_id), self._named(app_id, questions(), _chunk(info)), info)

    def named(self, app_id: str, questions: list[ChannelQuery], info: frozenset[str]) -> Eventual[Response]:
        """Describe each of some channels: `{"channels": {NAME: {..}}}`."""
        return self._run(len(questions), self._named(app_id, questions, _chunk(info)), info)

    def listed(self, app_id: str, questions: list[ChannelQuery]) -> Eventual[Response]:
        """Describe some channels in their order: `{"batch": [{..}]}`."""
        info = frozenset[str]().union(*(question.info for question in questions))
        return self._run(len(questions), self._listed(app_id, questions, _chunk(info)), info)

    def _run(self, count: int, steps: Steps[Response], info: frozenset[str]) -> Eventual[Response]:
        return self._slices.at_once(steps) if count <= _chunk(info) else self._slices.run(steps)

    def _named(self, app_id: str, questions: Iterable[ChannelQuery | None], chunk: int) -> Steps[Response]:
        parts: list[bytes] = []
        size = 0
        for some in _chunks(questions, chunk):
            asked = [question for question in some if question is not None]
            found = yield from self._found(app_id, asked)
            if asked:
                names = [question.name for question in asked]
                parts.append(msgspec.json.encode(dict(zip(names, found, strict=True)))[1:-1])
                size += len(parts[-1])
            self._check_size(size)
        return Response(200, b'{"channels":{%b}}' % b",".join(parts))

    def _listed(self, app_id: str, questions: list[ChannelQuery], chunk: int) -> Steps[Response]:
        parts: list[bytes] = []
        size = 0
        for asked in _chunks(questions, chunk):
            found = yield from self._found(app_id, asked)
            parts.append(msgspec.json.encode(found)[1:-1])
            size += len(parts[-1])
            self._check_size(size)
        return Response(200, b'{"batch":[%b]}' % b",".join(parts))

    def _found(self, app_id: str, asked: list[ChannelQuery]) -> Steps[list[dict[str, object]]]:
        found = gathered([self._queries.attributes(app_id, name, kind, info) for name, kind, info in asked])
        if not isinstance(found, Future):
            yield None
            return found
        yield found
        return found.result()

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise RequestRejected(
                400,
                f"The answer has at least {size} bytes, which exceeds the limit of {self._max_bytes} bytes "
                "(http_api.response_limit_in_mb): ask for fewer channels with filter_by_prefix, or for less info",
            )


def _chunk(info: frozenset[str]) -> int:
    return _CHUNK_WITH_CACHE if "cache" in info else _CHUNK


def _chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while some := list(islice(iterator, size)):
        yield some
