"""Starts a server that has been put together, unless the process is told to stop meanwhile."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from socket import socket
from typing import Final, NoReturn

from sockudo import log
from sockudo.assembly.server import Assembly
from sockudo.supervisor.listening.side_ports import SideSockets
from sockudo.supervisor.stopping import Stopping

_log = log.get_logger("sockudo")

# How long a start may take to end once it is given up, and then all that had begun together.
_CANCEL_SECONDS: Final = 0.4
_STOP_SECONDS: Final = 0.6


async def started(
    assembly: Assembly, sockets: Sequence[socket], side: SideSockets | None, stopping: Stopping
) -> list[tuple[str, int]] | None:
    """Start, on sockets as `Assembly.start` takes them; return the addresses, or None if the process was told to stop
    before it served.

    Nothing is left of a start that is given up or fails: the parts that have started are stopped, within a second.

    Raises:
        SockudoError: as `Assembly.start`.
    """
    starting = asyncio.ensure_future(assembly.start(sockets, side))
    asked = asyncio.ensure_future(stopping.asked())
    await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if stopping.is_asked:
        _log.info("server start given up: the process was told to stop", reason=stopping.reason)
    elif starting.exception() is None:
        return starting.result()
    starting.cancel()
    await asyncio.wait({starting}, timeout=_CANCEL_SECONDS)
    await stop_within(assembly, _STOP_SECONDS)
    if stopping.is_asked:
        return None
    return await starting


async def stop_within(assembly: Assembly, seconds: float) -> None:
    """Stop the parts of a server that run, and leave alone what does not end by then."""
    try:
        async with asyncio.timeout(seconds):
            await assembly.stop()
    except TimeoutError:
        _log.warning("server stop cut short: a store or the bus does not answer", seconds=seconds)
    except Exception as error:
        _log.warning("server stop incomplete", reason=repr(error))


def end_process() -> NoReturn:
    """End the process with status 0, whatever still waits in it.

    A driver may have a thread that waits for what does not answer, and Python would wait for the thread.
    """
    log.flush()
    os._exit(0)
