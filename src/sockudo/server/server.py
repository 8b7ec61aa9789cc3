"""Runs the sockets of a server: it listens, serves, and leaves in order."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from socket import socket
from typing import Any, Final

from sockudo.log import get_logger
from sockudo.node.node import Node, shutting_down
from sockudo.server.accepting.bursts import Bursts, ProtocolFactory
from sockudo.server.accepting.door import Door
from sockudo.server.accepting.redirect import Redirect
from sockudo.server.front import Front
from sockudo.supervisor.listening.listeners import BACKLOG, ListenError, Sockets, open_listeners
from sockudo.supervisor.listening.socket_file import SocketFile, address_of, check_given, is_socket_file

_log = get_logger("sockudo.server")

# The file of a unix socket outlives the worker that listens on it; newer versions of Python would remove it.
_KEEP_FILE: Final[Mapping[str, Any]] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}

# Connections are told to go in steps over this share of the grace period; the rest is for them to go.
_SPREAD: Final = 0.7
# How long an idle HTTP connection stays when the server leaves, and the largest part of the grace period that this may
# take: a request may be on its way to it.
_IDLE_SECONDS: Final = 1.0
_IDLE_PART: Final = 0.25
_STEP_SECONDS: Final = 0.05
_MIN_PER_STEP: Final = 50
# What the event loop accepts while its listener closes shows up a few ticks later.
_ACCEPT_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens, and how sockets come in.

    Attributes:
        socket_file: a unix socket in place of host and port.
        door: what sockets go through before they speak HTTP; None where they speak it at once.
        redirect: what sends clients of plain HTTP to TLS, on a port of its own.
    """

    host: str
    port: int
    socket_file: SocketFile | None = None
    door: Door | None = None
    redirect: Redirect | None = None

    def open(self) -> Sockets:
        """Listen.

        Raises:
            ListenError: the address cannot be had.
            SocketFileError: the unix socket cannot be made.
        """
        if self.socket_file is not None:
            return (self.socket_file.listen(),)
        return open_listeners(self.host, self.port, 1, balanced=False)[0]


class Server:
    """Listens on one address."""

    def __init__(self, front: Front, node: Node, listening: Listening) -> None:
        self._front = front
        self._node = node
        self._listening = listening
        self._listeners: list[asyncio.Server] = []
        self._bursts: Bursts | None = None

    async def start(self, sockets: Sequence[socket] = (), redirect: Sockets = ()) -> list[tuple[str, int]]:
        """Begin to listen, on sockets that are bound where they are given; return the addresses.

        Args:
            redirect: the sockets for clients of plain HTTP.

        Raises:
            ListenError: the address cannot be had.
            SocketFileError: the unix socket cannot be made.
            TlsError: the files of TLS cannot be used.
        """
        listening = self._listening
        if listening.door is not None:
            listening.door.load()
        if sockets:
            check_given(sockets, listening.socket_file)
        opened = sockets or listening.open()
        addresses = [address_of(bound) for bound in opened]
        try:
            for bound in opened:
                await self._accept_from(bound)
        except OSError as error:
            raise ListenError(listening.host, listening.port, error) from error
        if listening.redirect is not None:
            await listening.redirect.open(redirect, addresses[0][1])
        self._front.timeouts.start()
        self._node.keepalive.start()
        return addresses

    async def _accept_from(self, bound: socket) -> None:
        if self._listening.door is not None:
            self._listening.door.open(bound)
            return
        if self._bursts is None:
            self._bursts = Bursts(self._front.protocol, _listen)
        self._listeners.append(await _listen(bound, self._bursts.protocol))
        self._bursts.bound.append(bound)

    async def announce(self, seconds: float) -> None:
        """Let probes say that the server leaves, and go on serving everybody for so many seconds.

        Load balancers take the server out meanwhile, so that nobody is sent here who would be refused.
        """
        self._node.is_leaving = True
        await asyncio.sleep(seconds)

    async def drain(self, grace: float, *, linger: float = 0.0) -> None:
        """Leave: accept nothing more, answer what is under way, send every client elsewhere, within `grace` seconds.

        With `linger`, whoever is connected already is served for up to so many seconds before that, each HTTP socket
        for one more request. Where another process serves the address from now on, nobody need notice.
        """
        self.close()
        if linger:
            await self._wind_down(linger)
        self._node.is_draining = True
        idle = asyncio.Event()
        self._front.drain(idle.set)
        closing = asyncio.get_running_loop().call_later(min(_IDLE_SECONDS, grace * _IDLE_PART), self._front.close_idle)
        try:
            async with asyncio.timeout(grace):
                # What other nodes had taken before this one began to leave still reaches its clients.
                await self._node.peers.settle()
                await self._send_away(grace * _SPREAD)
                while self._front.open_count:
                    idle.clear()
                    await idle.wait()
        except TimeoutError:
            _log.warning(
                "shutdown: clients still connected at the end of the grace period", open=self._front.open_count
            )
        finally:
            closing.cancel()

    async def stop(self) -> None:
        """Drop what is left."""
        self.close()
        for connection in self._front.http_connections:
            connection.abort()
        self._node.disconnect_all()
        while not self._node.slices.is_idle:
            self._node.slices.next_turn()
            await asyncio.sleep(0)
        for client_socket in tuple(self._front.websockets.sockets):
            client_socket.abort()
        self._front.timeouts.stop()
        self._node.refusals.close()
        self._node.keepalive.stop()
        if self._listening.door is not None:
            self._listening.door.stop()

    def close(self) -> None:
        """Listen no more, and remove what shows where; may be called again."""
        if self._bursts is not None:
            self._bursts.close()
        for listener in self._listeners:
            listener.close()
        if self._listening.door is not None:
            self._listening.door.close()
        if self._listening.redirect is not None:
            self._listening.redirect.close()
        if self._listening.socket_file is not None:
            self._listening.socket_file.remove()

    async def _wind_down(self, seconds: float) -> None:
        """Wait until every HTTP socket has had its last answer, but no longer than that."""
        idle = asyncio.Event()
        self._front.wind_down(idle.set)
        await asyncio.sleep(_ACCEPT_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._front.http_count:
                    idle.clear()
                    await idle.wait()

    async def _send_away(self, seconds: float) -> None:
        """Close every connection with 4200, a share at each step, so that other nodes are not flooded."""
        clients = list(self._node.hub.connections())
        steps = max(1, int(seconds / _STEP_SECONDS))
        share = max(_MIN_PER_STEP, ceil(len(clients) / steps))
        for start in range(0, len(clients), share):
            if start:
                await asyncio.sleep(_STEP_SECONDS)
            self._node.fail_all(clients[start : start + share], shutting_down())


async def _listen(bound: socket, factory: ProtocolFactory) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    if is_socket_file(bound):
        return await loop.create_unix_server(factory, sock=bound, backlog=BACKLOG, **_KEEP_FILE)
    return await loop.create_server(factory, sock=bound, backlog=BACKLOG)
