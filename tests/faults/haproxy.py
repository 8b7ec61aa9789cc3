"""The HAProxy of `ops/compose/` before nodes, as a door: clients and publishers do not know which node they meet."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.clients.raw import HttpConnection
from tests.faults.doors import Process
from tests.faults.node import Node
from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess, program, wait_until
from tests.servers.proxies import OPS, replaced

_RESOLVERS: Final = re.compile(r"resolvers containers\n(    .*\n)+")


class ProxyDoor:
    """HAProxy with its recipe but for ports and addresses. What a client meets behind it is one process to it."""

    def __init__(self, folder: Path, nodes: Sequence[Node]) -> None:
        self.port = free_port()
        self._nodes = nodes
        config = folder / "haproxy.cfg"
        config.write_text(self._recipe())
        self._server = ServerProcess([program("haproxy", "haproxy"), "-db", "-f", str(config)], folder)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run it; every node is up when this returns."""
        try:
            self._server.start()
            wait_until(lambda: self._accepts(), "HAProxy listens")
            yield
        finally:
            self._server.end()

    def came_up(self, node: Node) -> int:
        """Return how often HAProxy has found a node up again."""
        return self._server.log_tail().count(f"sockudo/{node.name} is UP")

    def log(self) -> Sequence[str]:
        """Return what the nodes wrote."""
        return [line for node in self._nodes for line in node.log()]

    def process_of(self, client_port: int) -> Process:
        """Return what stands for all nodes."""
        return Process("proxy", 0)

    @contextlib.asynccontextmanager
    async def connections(self) -> AsyncIterator[Sequence[tuple[Process, HttpConnection]]]:
        """Connect to every node past the proxy."""
        async with contextlib.AsyncExitStack() as stack:
            yield [(node.process, await stack.enter_async_context(HttpConnection(node.port))) for node in self._nodes]

    def _accepts(self) -> bool:
        assert self._server.is_running, self._server.log_tail()
        return Path("/proc/net/tcp").read_text().find(f":{self.port:04X} 00000000:0000 0A") > 0

    def _recipe(self) -> str:
        text = (OPS / "compose" / "haproxy.cfg").read_text()
        text, found = _RESOLVERS.subn("", text)
        assert found, "the recipe has resolvers"
        servers = [(f"{node.name} 127.0.0.1:{node.port}") for node in self._nodes]
        return replaced(
            text,
            ("maxconn 90000", "maxconn 500"),
            ("bind :6001", f"bind 127.0.0.1:{self.port}"),
            (" resolvers containers init-addr libc,none", ""),
            *((f"node{number} node{number}:6001", server) for number, server in enumerate(servers, 1)),
        )
