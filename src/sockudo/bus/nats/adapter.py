"""The bus over NATS: core publish and subscribe, with the project's own client.

`nats-py` costs several times as much for each message (`benchmarks/nats_bus.py`), most of it in queues and tasks for
each subscription that a bus with one receiver has no use for.

* A topic is one token of a subject, `<prefix>.<topic>`, so a NATS user needs permissions for `<prefix>.>` only. The
  server does not send a message back to the node that published it.
* The server that this node is connected to confirms a join. It tells the other servers of a NATS cluster a moment
  later; core NATS has no way to wait for that.
* The reply subject, which a bus has no other use for, carries the epoch of the publishing connection. A message above
  the server's `max_payload` is sent in pieces; the reply subject then also says which piece this is.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Sequence
from typing import Final

from sockudo.bus.broker.adapter import BrokerAdapter
from sockudo.bus.broker.connection import tls_context
from sockudo.bus.nats.connection import NatsConnection, connect
from sockudo.bus.nats.options import Credentials, NatsOptions, NatsServer, credentials_setting, parse_servers
from sockudo.bus.nats.wire import encode_prefix, encode_token

# The size of the cache of subjects, so that the name of a busy channel is encoded once.
_SUBJECTS: Final = 10_000


class NatsAdapter(BrokerAdapter[NatsServer, NatsConnection]):
    """An `Adapter` on NATS. The address of a topic is its subject, the key is the number of a subscription."""

    def __init__(self, options: NatsOptions) -> None:
        prefix = encode_prefix(options.prefix)
        super().__init__(
            "nats",
            functools.lru_cache(_SUBJECTS)(lambda topic: b"%b.%b" % (prefix, encode_token(topic))),
            setting="adapter.nats.servers",
            refusing_setting=credentials_setting(options),
        )
        self._options = options
        self._credentials: Credentials | None = None
        self._context: ssl.SSLContext | None = None

    def _read_options(self) -> Sequence[NatsServer]:
        options = self._options
        servers = parse_servers(options)
        self._credentials = Credentials(options)
        self._context = tls_context("adapter.nats", options.tls_ca, options.tls_cert, options.tls_key)
        return servers

    async def _open(self, broker: NatsServer) -> NatsConnection:
        assert self._credentials is not None, "started"
        assert self._context is not None, "started"
        return await connect(broker, self._options, self._credentials, self._context, self)

    def _new_key(self, topic: str) -> bytes:
        # Never that of an earlier subscription, whose messages may still be on their way.
        return b"%d" % self._joins

    def _join(self, link: NatsConnection, topic: str, key: bytes) -> None:
        link.send(b"SUB %b %b\r\n" % (self._address(topic), key))

    def _joined(self, link: NatsConnection, key: bytes) -> asyncio.Future[None]:
        return link.confirm()

    def _leave(self, link: NatsConnection, key: bytes) -> None:
        link.send(b"UNSUB %b\r\n" % key)
