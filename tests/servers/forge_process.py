"""The process that workers of tests are forked from: `python -m tests.servers.forge_process FD`.

It has imported the server, and runs no event loop and no thread. For each order on its socket it forks a process that
goes on as a worker does: with its place, its listening sockets and its line to who supervises it.
"""

from __future__ import annotations

import array
import gc
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, Final

import uvloop  # noqa: F401  # a worker imports it when it makes its loop; once here is enough

from sockudo import log
from sockudo.assembly.run import run
from sockudo.cluster.times import ClusterTimes
from sockudo.config.model import Settings
from sockudo.supervisor.worker import Worker
from tests.fakes.fast_clock import FastClock

_MOST_BYTES: Final = 1 << 20
_MOST_SOCKETS: Final = 8


def main() -> None:
    """Fork workers until whoever orders them is gone."""
    orders = socket.socket(fileno=int(sys.argv[1]))
    gc.collect()
    gc.freeze()
    children: set[int] = set()
    try:
        while (order := _receive(orders)) is not None:
            given, numbers = order
            if "ended" in given:
                _, status = os.waitpid(given["ended"], 0)
                children.discard(given["ended"])
                orders.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
                continue
            pid = os.fork()
            if pid == 0:
                orders.close()
                _live(given, numbers)
            children.add(pid)
            for number in numbers:
                os.close(number)
            orders.send(json.dumps(pid).encode())
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)


def _receive(orders: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    numbers = array.array("i")
    data, ancillary, _, _ = orders.recvmsg(_MOST_BYTES, socket.CMSG_SPACE(_MOST_SOCKETS * numbers.itemsize))
    for _, _, content in ancillary:
        numbers.frombytes(content)
    return (json.loads(data), list(numbers)) if data else None


def _live(given: dict[str, Any], numbers: list[int]) -> None:
    """Be a worker, and end with it."""
    status = 1
    try:
        status = _work(given, numbers)
    except BaseException:
        traceback.print_exc()
    finally:
        log.flush()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _work(given: dict[str, Any], numbers: list[int]) -> int:
    output, control, counts, *sockets = numbers
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)
    worker = Worker(
        index=given["index"],
        serial=given["index"],
        directory=Path(given["directory"]),
        sockets=tuple(socket.socket(fileno=number) for number in sockets),
        control=socket.socket(fileno=control),
        counts=counts,
    )
    log.configure(level="info", output_format="json", debug=False, colors=False, include_target=True)
    log.label(worker=worker.index)
    settings, speed = Settings.model_validate(given["settings"]), given["speed"]
    if speed == 1:
        return run(settings, _say_nothing, worker)
    # Signs of life take as long as they do, however fast the clock runs.
    times = ClusterTimes(heartbeat_interval=0.5 * speed, node_timeout=3.0 * speed, introduction=0.05)
    link = worker.adapter(), times
    return run(settings, _say_nothing, worker, link, make_clock=lambda loop: FastClock(loop, speed))


def _say_nothing(addresses: list[tuple[str, int]]) -> None:
    """Whoever ordered a worker has opened its sockets."""


if __name__ == "__main__":
    main()
