"""Watches one worker for its supervisor: the process, and the line to it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sockudo.supervisor.listening.listeners import Sockets
from sockudo.supervisor.listening.side_ports import NO_SIDE_SOCKETS, SideSockets
from sockudo.supervisor.orders import (
    DEBUG_OFF,
    DEBUG_ON,
    DIAGNOSE,
    DRAIN,
    FAILED,
    HURRY,
    READY,
    REFUSED,
    RETIRE,
    WORKER_VARIABLE,
)


class Shared(NamedTuple):
    """What all workers of a supervisor are given alike.

    Attributes:
        directory: where the sockets of the bus between the workers are.
        counts: the descriptor of the memory in which all workers count what is limited.
        side: the sockets of the ports beside that of clients.
    """

    directory: Path
    counts: int
    side: SideSockets = NO_SIDE_SOCKETS


class WorkerProcess:
    """One worker from its start to its end.

    Attributes:
        started: set when it is ready, or will never be.
        is_ready: whether it has said so.
        exited: set when the process is gone.
        failure: why it could not start, where it could say so.
        is_refused: whether another attempt would fail for the same reason.
    """

    def __init__(self, index: int, serial: int) -> None:
        self.index = index
        self.serial = serial
        self.started = asyncio.Event()
        self.is_ready = False
        self.exited = asyncio.Event()
        self.failure = ""
        self.is_refused = False
        self.started_at = asyncio.get_running_loop().time()
        self._process: subprocess.Popen[bytes]
        self._line: socket.socket
        self._rest = b""

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        sockets: Sockets,
        shared: Shared,
    ) -> None:
        """Start the process.

        Args:
            sockets: what it listens on.
            shared: what it has in common with the other workers.

        Raises:
            OSError: the system has no room for it.
        """
        self._line, theirs = socket.socketpair()
        self._line.setblocking(False)
        numbers = [listening.fileno() for listening in sockets]
        given = {
            "index": self.index,
            "serial": self.serial,
            "directory": os.fspath(shared.directory),
            "sockets": numbers,
            "side": shared.side.numbers(),
            "control": theirs.fileno(),
            "counts": shared.counts,
        }
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                env={**environment, WORKER_VARIABLE: json.dumps(given)},
                pass_fds=(*numbers, *(one.fileno() for one in shared.side.all), theirs.fileno(), shared.counts),
                # What a terminal sends to the foreground is for the supervisor, who tells the workers.
                process_group=0,
            )
        except OSError:
            self._line.close()
            raise
        finally:
            theirs.close()
        asyncio.get_running_loop().add_reader(self._line, self._read)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """How the process has ended: its exit status, or the negative number of a signal; None while it runs."""
        return self._process.returncode

    def reap(self) -> None:
        """Look whether the process has ended."""
        if not self.exited.is_set() and self._process.poll() is not None:
            # What it has said last may not have been read yet.
            self._read()
            self._close_line()
            self.started.set()
            self.exited.set()

    def retire(self) -> None:
        """Let another worker take over."""
        self._say(RETIRE)

    def drain(self) -> None:
        """Let it leave in order."""
        self._say(DRAIN)

    def hurry(self) -> None:
        """Let it end at once."""
        self._say(HURRY)

    def switch_debug(self, *, on: bool) -> None:
        """Let it show lines for debugging, or not."""
        self._say(DEBUG_ON if on else DEBUG_OFF)

    def diagnose(self) -> None:
        """Let it write a diagnosis to the log."""
        self._say(DIAGNOSE)

    def end_start(self) -> None:
        """Let it give up its start; one that has not come to listen to its supervisor ends too."""
        self.drain()
        self._process.terminate()

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()

    def _say(self, line: bytes) -> None:
        if self._line.fileno() < 0:
            return
        try:
            self._line.send(line + b"\n")
        except OSError:
            # It is ending already, or does not listen and will be killed.
            return

    def _read(self) -> None:
        while self._line.fileno() >= 0:
            try:
                data = self._line.recv(65_536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._close_line()
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._hear(line)

    def _hear(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        if word == READY:
            self.is_ready = True
            self.started.set()
        elif word in (FAILED, REFUSED):
            self.failure = str(json.loads(rest))
            self.is_refused = word == REFUSED

    def _close_line(self) -> None:
        if self._line.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._line)
            self._line.close()
