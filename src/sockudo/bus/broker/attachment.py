"""Attaches a driver to one of several brokers, at the start and again whenever the broker is lost.

The driver decides how it attaches, and which topics it joins before it counts as attached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from sockudo.bus.base import Inbox
from sockudo.errors import DriverError
from sockudo.log import get_logger
from sockudo.timing.backoff import delays

_log: Final = get_logger("sockudo.bus")

Broker = TypeVar("Broker")


class RefusedError(Exception):
    """A broker refused the connection.

    Attributes:
        setting: the setting to correct, if it is another one than usual.
    """

    def __init__(self, reason: str, setting: str | None = None) -> None:
        """Take the reason as the broker gave it."""
        super().__init__(reason)
        self.setting = setting


class Attachment(Generic[Broker]):
    """Keeps a driver attached.

    Attributes:
        is_up: whether the driver is attached now.
    """

    def __init__(
        self,
        kind: str,
        attach: Callable[[Broker], Awaitable[None]],
        figures: Callable[[], Mapping[str, int]],
        *,
        setting: str,
        refusing_setting: str | None = None,
        show: Callable[[Broker], str] = str,
    ) -> None:
        """Take the functions of the driver, and the names for errors and the log.

        Args:
            kind: the product name of the brokers.
            attach: attaches to one broker; raises OSError if it cannot be reached, RefusedError if it refuses.
            figures: the values that the log shows with each attempt.
            setting: the setting that names the brokers.
            refusing_setting: the setting to correct when a broker refuses, if it is another one.
            show: returns a broker as people write it, without secrets.
        """
        self._kind = kind
        self._attach = attach
        self._figures = figures
        self._setting = setting
        self._refusing_setting = refusing_setting or setting
        self._show = show
        self._brokers: Sequence[Broker] = ()
        self._inbox: Inbox | None = None
        self._task: asyncio.Task[None] | None = None
        self.is_up = False

    async def start(self, brokers: Sequence[Broker], inbox: Inbox) -> None:
        """Attach to the first broker that accepts the driver.

        Raises:
            DriverError: no broker does.
        """
        self._brokers = brokers
        self._inbox = inbox
        if problems := await self._attach_to_any():
            raise DriverError("; ".join(problems))

    def lost(self, reason: str) -> None:
        """Note that the broker is gone, and try all brokers until one accepts the driver."""
        if self.is_up and self._inbox is not None:
            self.is_up = False
            self._task = asyncio.get_running_loop().create_task(self._attach_again(self._inbox))
            self._inbox.lost(reason)

    async def aclose(self) -> None:
        """Stop looking for a broker."""
        self.is_up = False
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _attach_again(self, inbox: Inbox) -> None:
        for delay in delays():
            problems = await self._attach_to_any()
            if not problems:
                break
            _log.warning(f"{self._kind} bus unreachable", problems=problems, **self._figures())
            await asyncio.sleep(delay)
        _log.info(f"{self._kind} bus reached", **self._figures())
        inbox.restored()

    async def _attach_to_any(self) -> list[str]:
        problems = []
        for broker in self._brokers:
            try:
                await self._attach(broker)
            except RefusedError as error:
                setting = error.setting or self._refusing_setting
                problems.append(f"{setting}: {self._show(broker)} refuses: {error}")
            except OSError as error:
                problems.append(f"{self._setting}: {self._show(broker)}: {error}")
            else:
                self.is_up = True
                return []
        return problems
