"""The protocols of a socket that has come through a door: the arrival hands it over, and names its client."""

from __future__ import annotations

import asyncio
from typing import Protocol

from sockudo.server.accepted_socket import AcceptedSocket, Entrance
from sockudo.server.http.protocol import HttpProtocol
from sockudo.server.http.service import Service


class Handing(Protocol):
    """Brings a socket to its protocol."""

    # The address that a proxy gave; None where the peer's own counts.
    client: str | None

    def handed_over(self) -> None:
        """Leave the socket to the protocol."""


class ArrivedSocket(AcceptedSocket):
    """A socket that may become a WebSocket."""

    __slots__ = ("_arrival",)

    def __init__(self, entrance: Entrance, arrival: Handing) -> None:
        super().__init__(entrance)
        self._arrival: Handing | None = arrival

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        arrival, self._arrival = self._arrival, None
        assert arrival is not None
        # The socket counts once, as what it is now.
        arrival.handed_over()
        super().connection_made(transport)
        self._peer = arrival.client or self._peer


class ArrivedProtocol(HttpProtocol):
    """A socket that speaks HTTP only."""

    __slots__ = ("_arrival",)

    def __init__(self, service: Service, arrival: Handing) -> None:
        super().__init__(service)
        self._arrival = arrival

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._arrival.handed_over()
        super().connection_made(transport)
        self._peer = self._arrival.client or self._peer
