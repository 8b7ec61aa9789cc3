"""Exchanges figures between the workers of one machine, over a unix socket for each worker.

A worker that is asked answers and hangs up. A question names the last scrape that the asker knows of, and the answer
tells only of later ones. The sockets are beside those of the bus, in a directory that belongs to the supervisor's user
alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from sockudo.metrics.books import Known
from sockudo.metrics.wire import decoded, encoded
from sockudo.timing.slices import Slices

_PREFIX: Final = "metrics-"
_SUFFIX: Final = ".sock"
# A worker that takes longer to answer is left out of a scrape.
ANSWER_SECONDS: Final = 2.0

# A message begins with one of these: a question, with a number behind it, or news.
_ASK: Final = b"?"
_TELL: Final = b"!"
_NUMBER_BYTES: Final = 8


class FigureExchange:
    """One worker's end.

    Args:
        serial: its number among all workers that the supervisor has started.
        answer: returns what another worker is told that asks, and knows of the scrape with this number.
        hear: takes what another worker says.
        slices: runs what takes long where there are many apps.
    """

    def __init__(
        self,
        directory: Path,
        serial: int,
        answer: Callable[[int], Awaitable[Known]],
        hear: Callable[[Known], None],
        slices: Slices,
    ) -> None:
        self.serial = serial
        self._slices = slices
        self._directory = directory
        self._answer = answer
        self._hear = hear
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the socket cannot be had.
        """
        path = self._path(self.serial)
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(path))

    def others(self) -> list[int]:
        """Return the serial numbers of the other workers that are there, or were until they died."""
        names = (path.name for path in self._directory.glob(f"{_PREFIX}*{_SUFFIX}"))
        serials = (name.removeprefix(_PREFIX).removesuffix(_SUFFIX) for name in names)
        return sorted(int(serial) for serial in serials if serial.isdecimal() and int(serial) != self.serial)

    async def ask(self, serial: int, since: int) -> Known | None:
        """Return what another worker knows that has come after a scrape, or None where it does not answer in time.

        Raises:
            ConnectionError, FileNotFoundError: it is gone.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._exchange(serial, [_ASK, since.to_bytes(_NUMBER_BYTES, "big")])
            return await self._slices.run(decoded(answer))
        except (TimeoutError, msgspec.MsgspecError):
            # One that is replaced may speak of figures as an older version did.
            return None

    async def tell(self, known: Known) -> None:
        """Tell every other worker something; return when they have heard it, or do not listen."""
        others = self.others()
        if others:
            message = [_TELL, *await self._slices.run(encoded(known))]
            await asyncio.gather(*(self._tell(serial, message) for serial in others))

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path(self.serial).unlink(missing_ok=True)

    def forget(self, serial: int) -> None:
        """Remove what a worker that has died has left."""
        self._path(serial).unlink(missing_ok=True)

    async def _tell(self, serial: int, message: list[bytes]) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._exchange(serial, message)

    async def _exchange(self, serial: int, message: list[bytes]) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self._path(serial)))
        try:
            writer.writelines(message)
            writer.write_eof()
            return await reader.read()
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                message = await reader.read()
                if message.startswith(_ASK):
                    known = await self._answer(int.from_bytes(message[1:], "big"))
                    writer.writelines(await self._slices.run(encoded(known)))
                    await writer.drain()
            if message.startswith(_TELL):
                self._hear(await self._slices.run(decoded(message[1:])))
        except (OSError, TimeoutError, msgspec.MsgspecError):
            # The other worker notices by itself.
            return
        finally:
            writer.close()

    def _path(self, serial: int) -> Path:
        return self._directory / f"{_PREFIX}{serial}{_SUFFIX}"
