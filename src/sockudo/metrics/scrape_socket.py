"""A socket of the metrics port: an HTTP socket whose requests must come soon, and that may have to give way.

The text of a scrape can have many megabytes. It is never put together: a copy of 15 MB takes 10 ms of a turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from sockudo.api.messages import Response
from sockudo.server.http.protocol import HttpProtocol
from sockudo.server.http.service import Service


class TextInParts(Response):
    """An answer whose text is in parts, which leave one behind the other."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[bytes], content_type: str) -> None:
        super().__init__(200, content_type=content_type)
        self.parts = parts


class ScrapeSocket(HttpProtocol):
    """One socket of the metrics port.

    Args:
        heard: is told of each socket that something has come from.
    """

    __slots__ = ("_heard",)

    # A scraper asks as soon as it connects.
    head_timeout: ClassVar[int] = 2

    def __init__(self, service: Service, heard: Callable[[ScrapeSocket], None]) -> None:
        super().__init__(service)
        self._heard = heard

    @property
    def is_answering(self) -> bool:
        """Whether a scrape for this socket is under way."""
        return self._is_answering

    def data_received(self, data: bytes) -> None:
        self._heard(self)
        super().data_received(data)

    def _write(self, response: Response, method: str, keep_alive: bool) -> None:
        if not isinstance(response, TextInParts):
            super()._write(response, method, keep_alive)
            return
        if self._is_ended:
            return
        keep_alive = keep_alive and not self._service.is_draining
        size = sum(map(len, response.parts))
        self._out.append(self._service.answers.head(response, size, keep_alive=keep_alive))
        if method != "HEAD":
            self._out += response.parts
        if not keep_alive:
            self._end()

    def _send(self) -> None:
        out, self._out = self._out, []
        if out:
            self._transport.writelines(out)
