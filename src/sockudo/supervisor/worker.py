"""Gives a worker what its supervisor has for it, and tells the supervisor how the worker does (see `orders`)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from sockudo import log
from sockudo.bus.base import Adapter
from sockudo.bus.workers.adapter import IpcAdapter
from sockudo.supervisor.listening.listeners import Sockets
from sockudo.supervisor.listening.side_ports import NO_SIDE_SOCKETS, SideSockets
from sockudo.supervisor.orders import (
    DEBUG_OFF,
    DEBUG_ON,
    DIAGNOSE,
    DRAIN,
    FAILED,
    HURRY,
    LINGER,
    READY,
    REFUSED,
    RETIRE,
    WORKER_VARIABLE,
)
from sockudo.supervisor.stopping import Stopping


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker is given.

    Attributes:
        index: its place among the workers, from 0; a worker that replaces another has the same.
        serial: its number among all that this supervisor has started; no two have the same.
        directory: where the sockets of the bus between the workers are.
        sockets: what it listens on.
        control: the line to the supervisor.
        counts: the descriptor of the memory in which all workers count what is limited.
        side: the sockets of the ports beside that of clients, which it shares with the other workers.
    """

    index: int
    serial: int
    directory: Path
    sockets: Sockets
    control: socket.socket
    counts: int
    side: SideSockets = NO_SIDE_SOCKETS

    @classmethod
    def from_environment(cls, variables: MutableMapping[str, str]) -> Worker | None:
        """Return what the supervisor gave, or None in a process that is no worker. It is given once."""
        text = variables.pop(WORKER_VARIABLE, None)
        if text is None:
            return None
        given = json.loads(text)
        return cls(
            index=given["index"],
            serial=given["serial"],
            directory=Path(given["directory"]),
            sockets=tuple(socket.socket(fileno=number) for number in given["sockets"]),
            control=socket.socket(fileno=given["control"]),
            counts=given["counts"],
            side=SideSockets.of_numbers(given.get("side", ())),
        )

    @property
    def worker_sockets(self) -> tuple[Path, int]:
        """Where the sockets between the workers are, and which are this one's."""
        return self.directory, self.serial

    def adapter(self) -> Adapter:
        """Return this worker's adapter of the bus between the workers, not started."""
        # By serial: while a worker is replaced, both are on the bus.
        return IpcAdapter(self.directory, self.serial)

    @staticmethod
    def leave_signals() -> None:
        """Leave to the supervisor the signals for it; they would end this process.

        Those that stop a server end it until its event loop takes them: nothing has begun yet.
        """
        # A service manager sends them to every process: a worker that switched by itself would switch back.
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        # Python would write a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def take_name(self) -> None:
        """Show which worker this is where processes are listed."""
        with contextlib.suppress(OSError):
            Path("/proc/self/comm").write_text(f"sockudo:{self.index}")

    async def follow(self, stopping: Stopping, diagnose: Callable[[], None]) -> None:
        """Do what the supervisor says, from now on; `diagnose` writes a diagnosis to the log."""
        # A copy, so that the loop may close it and `failed` can still be said.
        await asyncio.get_running_loop().create_unix_connection(
            lambda: _Orders(stopping, diagnose), sock=self.control.dup()
        )

    def ready(self) -> None:
        """Tell the supervisor that this worker serves."""
        self._say(READY)

    def failed(self, reason: str) -> None:
        """Tell the supervisor why this worker cannot serve."""
        self._say(FAILED + b" " + json.dumps(reason).encode())

    def refused(self, reason: str) -> None:
        """Tell the supervisor what is wrong with the configuration, so that it does not try again by itself."""
        self._say(REFUSED + b" " + json.dumps(reason).encode())

    def tidy(self) -> None:
        """Remove the directory if this was the last worker of a supervisor that died and could not do it."""
        with contextlib.suppress(OSError):
            os.rmdir(self.directory)

    def _say(self, line: bytes) -> None:
        # A supervisor that is gone is noticed by `follow`.
        with contextlib.suppress(OSError):
            self.control.sendall(line + b"\n")


class _Orders(asyncio.Protocol):
    def __init__(self, stopping: Stopping, diagnose: Callable[[], None]) -> None:
        self._stopping = stopping
        self._diagnose = diagnose
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line == RETIRE:
                self._stopping.ask("replaced", linger=LINGER)
            elif line == DRAIN:
                self._stopping.ask("stopped by the supervisor")
            elif line == HURRY:
                self._stopping.hurry("stopped by the supervisor")
            elif line in (DEBUG_ON, DEBUG_OFF):
                log.switch_debug(on=line == DEBUG_ON)
            elif line == DIAGNOSE:
                self._diagnose()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stopping.ask("the supervisor is gone")
