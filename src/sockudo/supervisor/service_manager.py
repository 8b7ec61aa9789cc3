"""Takes what a service manager gives to this process, and tells it how the server is (`Type=notify` of systemd).

The manager names a datagram socket in the environment. It waits for `READY=1` before it starts what needs the server.
Where it asks for signs of life (`WatchdogSec`), the event loop sends them, so an event loop that hangs is restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import MutableMapping
from typing import Final

from sockudo.log import get_logger
from sockudo.supervisor.listening.activation import take_activated_sockets
from sockudo.supervisor.listening.listeners import Sockets

_log = get_logger("sockudo")

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"
_WATCHDOG_PROCESS: Final = "WATCHDOG_PID"
_MICROSECONDS: Final = 1_000_000
# Signs of life in the time after which the manager takes the server for dead.
_SIGNS: Final = 2


class ServiceManager:
    """The manager of this process; without one, everything here does nothing.

    Attributes:
        is_there: whether somebody listens.
        sockets: what it has opened for the server to listen on.
    """

    def __init__(self, address: str = "", watchdog: float = 0.0, sockets: Sockets = ()) -> None:
        self.is_there = bool(address)
        self.sockets = sockets
        # A name that begins with @ stands for one that is in no file system.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog = watchdog
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def from_environment(cls, variables: MutableMapping[str, str]) -> ServiceManager:
        """Return the manager that the environment names. It gives its sockets once.

        Raises:
            ActivationError: a socket that it gives cannot be used.
        """
        address, microseconds = variables.get(_SOCKET, ""), variables.get(_WATCHDOG, "")
        is_watched = variables.get(_WATCHDOG_PROCESS) in (None, str(os.getpid())) and microseconds.isdigit()
        watchdog = int(microseconds) / _MICROSECONDS if is_watched else 0.0
        return cls(address, watchdog, take_activated_sockets(variables))

    def ready(self) -> None:
        """Say that the server serves, for the first time or again."""
        self._say("READY=1")
        if self.is_there and self._watchdog and self._timer is None:
            self._live(asyncio.get_running_loop())

    def reloading(self) -> None:
        """Say that the workers are being replaced; `ready` ends it."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Say that the server leaves. The signs of life go on: it may take a while."""
        self._say("STOPPING=1")

    def close(self) -> None:
        """Send no more signs of life."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        self._say("WATCHDOG=1")
        self._timer = loop.call_later(self._watchdog / _SIGNS, self._live, loop)

    def _say(self, text: str) -> None:
        if not self.is_there:
            return
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as line:
                line.setblocking(False)
                line.connect(self._address)
                line.send(text.encode())
        except OSError as error:
            _log.warning("service manager not told", text=text, reason=str(error))
