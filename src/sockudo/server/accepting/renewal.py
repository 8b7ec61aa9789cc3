"""Takes renewed certificates while the server runs, so that later TLS handshakes use them.

The files are looked at every few seconds, by what they lead to (links are followed) and then by what is in them. New
ones are loaded apart from those in use, and replace them as a whole; sockets that are open notice nothing. Files that
cannot be used change nothing. Since a certificate and its key are seldom replaced in one moment, the log says why only
when they have stayed like that from one look to the next.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import Final

from sockudo.log import get_logger
from sockudo.server.accepting.certificates import TlsSection, contents, fingerprint, load_context, paths_of
from sockudo.timing.clock import Clock, Handle

_log = get_logger("sockudo.tls")

LOOK_EVERY: Final = 5.0
"""Seconds from one look at the files to the next."""


class Certificates:
    """What TLS handshakes need, renewed with its files.

    Attributes:
        context: what new handshakes use, from `load` on.
    """

    context: ssl.SSLContext

    def __init__(self, files: TlsSection, clock: Clock) -> None:
        self._files = files
        self._clock = clock
        self._timer: Handle | None = None
        self._looking: asyncio.Task[None] | None = None
        # Digests of what is in use, of what could not be used at the last look, and of what the log has told of.
        self._used = b""
        self._failed = b""
        self._told = b""
        self._marks: tuple[object, ...] = ()

    def load(self) -> None:
        """Load the files for the first time.

        Raises:
            TlsError: they cannot be used.
        """
        self._marks, self._used = _marks(self._files), contents(self._files)
        self.context = load_context(self._files)

    def start(self) -> None:
        """Begin to look at the files."""
        self._timer = self._clock.call_later(LOOK_EVERY, self._begin_look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._looking is not None:
            self._looking.cancel()

    async def look(self) -> None:
        """Look at the files once, and take them if they are new and can be used."""
        # In a thread: a file system may be slow, and so is the decryption of a key.
        marks = await asyncio.get_running_loop().run_in_executor(None, _marks, self._files)
        if marks != self._marks or self._failed:
            await self._renew(marks)

    def _begin_look(self) -> None:
        self._looking = asyncio.get_running_loop().create_task(self._look_again())

    async def _look_again(self) -> None:
        try:
            await self.look()
        finally:
            self._looking = None
            if self._timer is not None:
                self.start()

    async def _renew(self, marks: tuple[object, ...]) -> None:
        loop, files = asyncio.get_running_loop(), self._files
        found = await loop.run_in_executor(None, contents, files)
        if found == self._used:
            self._marks, self._failed, self._told = marks, b"", b""
            return
        if found == self._told and marks == self._marks:
            return
        try:
            context = await loop.run_in_executor(None, load_context, files)
        except Exception as error:
            # Whatever it is, the old certificate stays, and the files are looked at again.
            self._marks = marks
            self._refuse(found, str(error))
            return
        if await loop.run_in_executor(None, contents, files) != found:
            # They were being replaced: the next look tells.
            return
        self.context = context
        self._marks, self._used, self._failed, self._told = marks, found, b"", b""
        shown = await loop.run_in_executor(None, fingerprint, files)
        _log.info("certificate renewed", path=files.cert_path, sha256=shown)

    def _refuse(self, found: bytes, reason: str) -> None:
        if found == self._failed and found != self._told:
            self._told = found
            _log.error("certificate not renewed: the old one stays in use", reason=reason)
        self._failed = found


def _marks(files: TlsSection) -> tuple[object, ...]:
    """Return what changes when a file is replaced or written to."""
    return tuple(_mark(path) for path in paths_of(files))


def _mark(path: str) -> object:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
