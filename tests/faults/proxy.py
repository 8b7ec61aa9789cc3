"""A TCP proxy that can be cut, stalled, slow and healed: the network between one node and its broker."""

from __future__ import annotations

import asyncio
import contextlib


class Proxy:
    """Forwards to a loopback port."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server
        self._serving: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        # Of connections that are opened now; those before may have another.
        self._flows = asyncio.Event()
        self._flows.set()
        self._forgotten: list[asyncio.Event] = []
        self._is_cut = False
        # How long everything takes from one end to the other (seconds).
        self.delay = 0.0
        self.port = 0

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Drop every connection, and each new one at once."""
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def stall(self) -> None:
        """Forward nothing any more, and tell nobody: as packets that are thrown away."""
        self._flows.clear()

    def heal(self) -> None:
        """Forward again."""
        self._is_cut = False
        self._flows.set()

    def forget(self) -> None:
        """Forward what comes over new connections, and nothing of the old ones ever again, whose ends are not told."""
        self._forgotten.append(self._flows)
        self._flows = asyncio.Event()
        self._flows.set()

    async def aclose(self) -> None:
        """End everything."""
        self.cut()
        for flows in (self._flows, *self._forgotten):
            flows.set()
        self._server.close()
        if self._serving:
            await asyncio.wait(self._serving, timeout=5)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        both, flows = {writer, back}, self._flows
        self._writers |= both
        try:
            await asyncio.gather(self._pump(reader, back, flows), self._pump(there, writer, flows))
        finally:
            self._writers -= both

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await asyncio.sleep(self.delay)
                await flows.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
