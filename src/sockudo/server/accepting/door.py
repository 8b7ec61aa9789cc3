"""Accepts sockets that are not for HTTP at once: where a proxy names the client, and where the port speaks TLS.

A handshake costs about as much as a hundred deliveries, so a few begin in each turn of the loop, in the order in which
clients asked for them; while many wait, no more are accepted, and the kernel keeps them. The number of silent sockets
is bounded too: at the bound, the server closes the oldest.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections import deque
from typing import Final

from sockudo.log import get_logger
from sockudo.node.refusal_log import RefusalLog
from sockudo.ratelimit.networks import Networks
from sockudo.server.accepting.arrival import Arrival, ArrivalService
from sockudo.server.accepting.renewal import Certificates
from sockudo.supervisor.listening.listeners import BACKLOG
from sockudo.timing.clock import Clock

MOST_PENDING: Final = 1000
"""Sockets that wait for a header, for the first bytes, or for the client's part of a handshake."""

# Handshakes that begin in one turn: each takes 0.4 ms with a P-256 key, and 5 ms with one of 4096 bits of RSA.
_HANDSHAKES_A_TURN: Final = 8
# Fewer begin when the last turn took longer than this (seconds).
_LONG_TURN: Final = 0.010
# Clients that wait for their handshake, above which none is accepted, and below which some are again.
_MOST_READY: Final = 256
_FEW_READY: Final = 128
_ACCEPTED_A_TURN: Final = 64
# Seconds before the door tries again where the system has no room.
_PAUSE: Final = 1.0
_NO_ROOM: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_log = get_logger("sockudo.server")


class Door:
    """Accepts sockets, and hands each to HTTP when it is ready for it.

    Args:
        service: what answers on the sockets.
        refusals: where what goes wrong is logged.
        certificates: for TLS; None where the port speaks none.
        proxies: who must begin with a PROXY header; None where nobody may.
    """

    def __init__(
        self,
        service: ArrivalService,
        refusals: RefusalLog,
        clock: Clock,
        certificates: Certificates | None,
        proxies: Networks | None,
    ) -> None:
        self.service = service
        self._refusals = refusals
        self._clock = clock
        self._certificates = certificates
        self._proxies = proxies
        self._listening: list[socket.socket] = []
        # In the order in which they came to where they are.
        self._pending: dict[Arrival, None] = {}
        self._ready: deque[Arrival] = deque()
        # How many handshakes may begin in the next turn, whether any will, and when that was decided.
        self._share = _HANDSHAKES_A_TURN
        self._is_beginning = False
        self._begun_at = 0.0
        self._is_paused = False

    def load(self) -> None:
        """Get ready.

        Raises:
            TlsError: the files of TLS cannot be used.
        """
        if self._certificates is not None:
            self._certificates.load()

    def open(self, listening: socket.socket) -> None:
        """Accept from a socket that listens."""
        if self._certificates is not None and not self._listening:
            self._certificates.start()
        listening.setblocking(False)
        # A socket that was set aside for a worker that failed listens no more.
        listening.listen(BACKLOG)
        self._listening.append(listening)
        self._watch(listening)

    def close(self) -> None:
        """Accept nothing more; what has been accepted goes on."""
        if not self._is_paused:
            self._unwatch()
        for listening in self._listening:
            listening.close()
        self._listening.clear()

    def stop(self) -> None:
        """Close, and release what is left."""
        self.close()
        if self._certificates is not None:
            self._certificates.stop()

    # What sockets ask

    def is_proxy(self, peer: str | None) -> bool:
        """Tell whether a peer must begin with a PROXY header."""
        return self._proxies is not None and self._proxies.holds(peer)

    def context(self) -> ssl.SSLContext | None:
        """Return what TLS handshakes need; None where the port speaks none."""
        return None if self._certificates is None else self._certificates.context

    def ready(self, arrival: Arrival) -> None:
        """Let a client that waits for its handshake have it, in its turn."""
        self._pending.pop(arrival, None)
        self._ready.append(arrival)
        if len(self._ready) >= _MOST_READY:
            self._pause()
        self._begin_soon()

    def left(self, arrival: Arrival) -> None:
        """Forget a socket that is gone, or that speaks HTTP now."""
        self._pending.pop(arrival, None)

    def refused(self, reason: str, peer: str | None) -> None:
        """Log that a peer broke the rule about PROXY headers."""
        self._refusals.note_failed("PROXY protocol: connection closed", reason=reason, peer=peer)

    def failed(self, reason: str, peer: str | None) -> None:
        """Log that a handshake failed; every scanner of ports makes some fail."""
        self._refusals.note("handshake failed", None, reason, peer=peer)

    # Accepting

    def _watch(self, listening: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _unwatch(self) -> None:
        for listening in self._listening:
            asyncio.get_running_loop().remove_reader(listening)

    def _pause(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._unwatch()

    def _resume(self) -> None:
        if self._is_paused and len(self._ready) < _FEW_READY:
            self._is_paused = False
            for listening in self._listening:
                self._watch(listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTED_A_TURN):
            if self._is_paused:
                return
            try:
                accepted, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Where there is no room for another file, the log of the server's room tells.
                if error.errno not in _NO_ROOM:
                    _log.error("connections not accepted", reason=str(error))
                self._pause()
                asyncio.get_running_loop().call_later(_PAUSE, self._resume)
                return
            self._arrived(accepted, address[0] if isinstance(address, tuple) else None)

    def _arrived(self, accepted: socket.socket, peer: str | None) -> None:
        accepted.setblocking(False)
        if self.service.turn_away() is not None:
            accepted.close()
            return
        if len(self._pending) >= MOST_PENDING:
            oldest = next(iter(self._pending))
            self._refusals.note_failed(
                "connections closed before they said anything: there are too many", limit=str(MOST_PENDING)
            )
            oldest.abort()
            self._pending.pop(oldest, None)
        if peer is not None:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        arrival = Arrival(self, accepted, peer, checks_header=self._checks(peer))
        self._pending[arrival] = None
        arrival.begin()

    def _checks(self, peer: str | None) -> bool:
        """Tell whether a socket is looked at for a header: each but that of a local process that is no proxy."""
        return self._proxies is not None and (peer is not None or self._proxies.holds(peer))

    # Handshakes

    def _begin_soon(self) -> None:
        if not self._is_beginning:
            self._is_beginning = True
            self._begun_at = self._clock.monotonic()
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._is_beginning = False
        # The handshakes that began in the last turn were carried out since then.
        took = self._clock.monotonic() - self._begun_at
        self._share = max(1, self._share // 2) if took > _LONG_TURN else min(_HANDSHAKES_A_TURN, self._share + 1)
        for _ in range(min(len(self._ready), self._share)):
            arrival = self._ready.popleft()
            if arrival.connect():
                self._pending[arrival] = None
        if self._ready:
            self._begin_soon()
        self._resume()
