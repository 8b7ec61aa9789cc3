"""Answers signals that ask a running server for more of its log: SIGUSR2 for debug lines, SIGUSR1 for a diagnosis."""

from __future__ import annotations

import asyncio
import signal

from sockudo import log
from sockudo.server.diagnosis import Diagnosis


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
