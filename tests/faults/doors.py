"""Where clients come in: an address, and the server process behind it that takes them, which may be one of several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from tests.clients.raw import HttpConnection


@dataclass
class Process:
    """One server process.

    Attributes:
        name: by which the history calls it.
        whole_until: when a fault befell it, if one did.
    """

    name: str
    pid: int
    whole_until: float | None = None


class Door(Protocol):
    """An address that clients know."""

    port: int

    def log(self) -> Sequence[str]:
        """Return the lines that the processes wrote, from the beginning."""
        ...

    def process_of(self, client_port: int) -> Process:
        """Return who serves the connection that comes from this port.

        Raises:
            OSError: nobody does, or does any more.
        """
        ...

    def connections(self) -> AbstractAsyncContextManager[Sequence[tuple[Process, HttpConnection]]]:
        """Connect to every process that lives.

        Raises:
            OSError, EOFError, TimeoutError: one cannot be reached.
        """
        ...
