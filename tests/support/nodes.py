"""What serves scenarios: one server, or several that act as one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import cycle
from typing import Any, Final, Protocol

from tests.support.server import running_server


class Nodes:
    """What serves. A scenario asks for a port for each client and request, and never knows which node it gets."""

    def __init__(self, *ports: int) -> None:
        self._next = cycle(ports)

    @property
    def port(self) -> int:
        """The port of the next node."""
        return next(self._next)


class Serve(Protocol):
    """Starts what serves as one server, however many nodes that takes."""

    def __call__(
        self, *apps: Mapping[str, Any], speed: float = 1, **changes: Any
    ) -> contextlib.AbstractAsyncContextManager[Nodes]:
        """Serve while the context lasts, with a clock `speed` times as fast; other arguments as for `settings`."""
        ...


@contextlib.asynccontextmanager
async def _one_node(*apps: Mapping[str, Any], speed: float = 1, **changes: Any) -> AsyncIterator[Nodes]:
    with no_errors_in_callbacks():
        async with running_server(*apps, speed=speed, **changes) as server:
            yield Nodes(server.port)


@contextlib.contextmanager
def no_errors_in_callbacks() -> Iterator[None]:
    """Check that no callback of the running loop raises: the loop only logs it, and goes on."""
    errors: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: errors.append(context))
    try:
        yield
    finally:
        loop.set_exception_handler(None)
    assert not errors


TOPOLOGIES: Final[Mapping[str, Serve]] = {"one node": _one_node}
