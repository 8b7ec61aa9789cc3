"""Turns the process of the command, which has read the settings, into the supervisor, which needs none of them.

What a command imports takes 30 MB, and the supervisor stays as long as the server. So the process runs its own command
line again (`execve`): it stays the same process, also for a service manager, and finds in its environment the number of
an unnamed file with its task. It keeps the listening sockets open; clients that connect meanwhile wait in their queues.
Signals wait too.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, Any, NoReturn, TypeAlias

from sockudo import log
from sockudo.supervisor.kept_signals import keeping_signals
from sockudo.supervisor.listening.listeners import CAN_BALANCE, Sockets, close_listeners, open_listeners
from sockudo.supervisor.listening.side_ports import NO_SIDE_PORTS, NO_SIDE_SOCKETS, SidePorts
from sockudo.supervisor.listening.socket_file import SocketFile, address_of, check_given
from sockudo.supervisor.orders import SUPERVISOR_VARIABLE
from sockudo.supervisor.task import Task, open_standard_streams

Greeting: TypeAlias = Callable[[list[tuple[str, int]]], str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to supervise.

    Attributes:
        count: how many workers.
        balanced: whether each has a listening socket of its own, where the system can balance them; else they share.
        grace: how long a worker may take to leave (seconds).
        command: what starts the supervisor and each worker, with `environment` and one more variable.
        logging: the arguments of `log.configure`.
        sockets: what a service manager has opened: all workers share these, and no others are opened.
        socket_file: a unix socket in place of host and port, which all workers share.
        side_ports: the ports beside it, which all workers share too.
    """

    host: str
    port: int
    count: int
    balanced: bool
    grace: float
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    logging: Mapping[str, Any]
    sockets: Sockets = ()
    socket_file: SocketFile | None = None
    side_ports: SidePorts = NO_SIDE_PORTS


def become_supervisor(plan: Plan, greeting: Greeting) -> NoReturn:
    """Listen, and become the supervisor, which also writes what is logged meanwhile.

    Args:
        greeting: makes the text for people from the addresses.

    Raises:
        ListenError: an address cannot be had.
        SocketFileError: the unix socket cannot be made.
        OSError: the system cannot run the command again.
    """
    open_standard_streams()
    balanced = plan.balanced and CAN_BALANCE and not plan.sockets and plan.socket_file is None
    with keeping_signals(), log.held() as lines:
        listeners = _listeners(plan, balanced=balanced)
        side, directory = NO_SIDE_SOCKETS, ""
        try:
            side = plan.side_ports.open()
            directory = tempfile.mkdtemp(prefix="sockudo-")
            task = Task(
                balanced=balanced,
                grace=plan.grace,
                command=list(plan.command),
                logging=dict(plan.logging),
                directory=directory,
                places=[[listening.fileno() for listening in place] for place in listeners],
                greeting=greeting([address_of(listening) for listening in listeners[0]]),
                lines=lines.getvalue(),
                unix_socket=_unix_socket(plan.socket_file),
                side=side.numbers(),
            )
            _run_again(plan, task, [*listeners, side.all])
        finally:
            if directory:
                os.rmdir(directory)
            side.close()
            close_listeners(listeners)
            if plan.socket_file is not None:
                plan.socket_file.remove()


def _listeners(plan: Plan, *, balanced: bool) -> list[Sockets]:
    if plan.sockets:
        check_given(plan.sockets, plan.socket_file)
        return [plan.sockets] * plan.count
    if plan.socket_file is not None:
        return [(plan.socket_file.listen(),)] * plan.count
    return open_listeners(plan.host, plan.port, plan.count, balanced=balanced)


def _unix_socket(file: SocketFile | None) -> tuple[str, tuple[int, int, int]] | None:
    return None if file is None or file.made is None else (file.path, file.made)


def _run_again(plan: Plan, task: Task, listeners: Sequence[Sockets]) -> NoReturn:
    with _unnamed_file() as file:
        file.write(json.dumps(asdict(task)).encode())
        file.seek(0)
        os.set_inheritable(file.fileno(), True)
        for place in listeners:
            for listening in place:
                listening.set_inheritable(True)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.flush()
        os.execve(task.command[0], task.command, {**plan.environment, SUPERVISOR_VARIABLE: str(file.fileno())})


def _unnamed_file() -> IO[bytes]:
    """Open a file that only this process can find."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("sockudo"), "w+b")
    return tempfile.TemporaryFile()
