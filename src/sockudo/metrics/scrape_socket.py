"""A socket of the metrics port: an HTTP socket whose requests must come soon, and that may have to give way."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from sockudo.server.http.protocol import HttpProtocol
from sockudo.server.http.service import Service


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
