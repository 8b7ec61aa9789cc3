"""Answers the signals that stop nothing: SIGUSR2 for debug lines, SIGUSR1 for a diagnosis, SIGHUP for a reload."""

from __future__ import annotations

import asyncio
import signal

from sockudo import log
from sockudo.log import get_logger
from sockudo.server.diagnosis import Diagnosis
from sockudo.supervisor.service_manager import ServiceManager

_log = get_logger("sockudo")


class LogSignals:
    """Takes them from the start on; a diagnosis needs a server that has been put together."""

    def __init__(self) -> None:
        self.diagnosis: Diagnosis | None = None

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the signals of a process that has no supervisor."""
        loop.add_signal_handler(signal.SIGUSR1, self.diagnose)
        loop.add_signal_handler(signal.SIGUSR2, log.switch_debug)

    def diagnose(self) -> None:
        """Write a diagnosis to the log."""
        if self.diagnosis is not None:
            self.diagnosis.begin()


class ReloadSignal:
    """Answers a service manager that asks one process for what only a supervisor can do; it would end the process.

    Attributes:
        is_serving: whether the manager may hear that the server serves; it does not while it starts or stops.
    """

    def __init__(self, manager: ServiceManager) -> None:
        self.is_serving = False
        self._manager = manager

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the signal, where there is a service manager."""
        if self._manager.is_there:
            loop.add_signal_handler(signal.SIGHUP, self._refuse)

    def _refuse(self) -> None:
        if self.is_serving:
            self._manager.reloading()
        _log.warning("reload ignored: the server is one process and has no workers to replace; restart the service")
        if self.is_serving:
            self._manager.ready()
