"""A server that is not what its clients take it for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def stranger(greeting: bytes, *, is_asked_first: bool = False) -> AsyncIterator[int]:
    """Serve on a port of 127.0.0.1 with a server that says this and no more, at once or when it has been asked."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if is_asked_first:
            await reader.read(100)
        writer.write(greeting)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
