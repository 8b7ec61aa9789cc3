"""Resolves the host names of endpoints, each look-up in a thread of its own.

The system's resolver blocks its thread until a dead name server times out, and cannot be interrupted. asyncio has few
threads for it: a handful of dead names would use them up, and no other endpoint could be reached. The threads here are
daemons, so that none of them delays the end of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Final, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

_MOST_THREADS: Final = 64

_Infos: TypeAlias = list[ResolveResult]


class ThreadsResolver(AbstractResolver):
    """Asks the system's resolver."""

    def __init__(self) -> None:
        self._running = 0

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> _Infos:
        """Return the addresses of a host.

        Raises:
            OSError: the host has none, no name server answers, or too many look-ups run.
        """
        if self._running >= _MOST_THREADS:
            raise OSError("too many names are being looked up")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Infos] = loop.create_future()

        def look_up() -> None:
            infos: _Infos = []
            error: OSError | None = None
            try:
                infos = _look_up(host, port, family)
            except OSError as problem:
                error = problem
            except ValueError:
                # Some texts, such as those with two dots in a row, are not names.
                error = socket.gaierror(socket.EAI_NONAME, "it is no name of a host")
            # The loop may be closed by now.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._answer, answer, infos, error)

        try:
            threading.Thread(target=look_up, name="webhook-name", daemon=True).start()
        except RuntimeError:
            raise OSError("no more threads can be started") from None
        self._running += 1
        return await answer

    async def close(self) -> None:
        """Do nothing: the threads end by themselves."""

    def _answer(self, answer: asyncio.Future[_Infos], infos: _Infos, error: OSError | None) -> None:
        self._running -= 1
        if answer.done():
            return
        if error is None:
            answer.set_result(infos)
        else:
            answer.set_exception(error)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> _Infos:
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=int(address[1]),
            family=found,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for found, _, protocol, _, address in infos
    ]
