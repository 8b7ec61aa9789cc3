"""Reaches a Redis server: reads its URL, connects and logs in."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from dataclasses import dataclass, field
from typing import Final

import hiredis

from sockudo.errors import DriverError
from sockudo.redis_client.options import RedisTarget, RedisTiming
from sockudo.redis_client.resp import Reply, RespConnection
from sockudo.redis_client.url import RedisUrl, parse_redis_url

_DEFAULT_PORT: Final = 6379
_FALSE: Final = frozenset({"0", "f", "false", "n", "no"})


@dataclass(frozen=True, slots=True)
class RedisServer:
    """Where a server listens, and how to log in."""

    host: str
    port: int
    setting: str
    path: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    # Whether the server must be a master; a server that sentinels name may have lost that role.
    must_be_master: bool = False

    @property
    def name(self) -> str:
        """The name of the server in messages."""
        return self.path or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")

    def refusal(self, problem: str) -> DriverError:
        """Return the error of a server that cannot be used."""
        return DriverError(f"Redis at {self.name} cannot be used ({self.setting}): {problem}")


def server_of(target: RedisTarget) -> RedisServer:
    """Read the URL of a target.

    Raises:
        DriverError: the URL, or a file that it names, cannot be used.
    """
    try:
        url = parse_redis_url(target.url)
        tls = _tls_context(url) if url.scheme == "rediss" else None
    except (ValueError, OSError) as error:
        # The text of a ValueError may quote the URL, and with it the password.
        what = str(error) if isinstance(error, OSError) else "it is no URL such as redis://user:password@host:6379/0"
        raise DriverError(f"Redis cannot be used ({target.setting}): {what}") from None
    # A login is one whole: the user of one setting does not go with the password of another.
    username, password = url.username, url.password
    if password is None:
        username, password = username or target.username, target.password
    return RedisServer(
        host=url.host or "127.0.0.1",
        port=url.port or _DEFAULT_PORT,
        setting=target.setting,
        path=url.path,
        username=username,
        password=password,
        db=url.db or target.db,
        tls=tls,
    )


async def connect(server: RedisServer, timing: RedisTiming) -> RespConnection:
    """Connect and log in.

    Raises:
        DriverError: the server cannot be reached or refuses.
    """
    connection = RespConnection(timing.max_unsent_bytes, timing.connect_timeout)
    try:
        async with asyncio.timeout(timing.connect_timeout):
            await _open(connection, server)
        await _log_in(connection, server)
    except TimeoutError:
        await connection.abandon()
        raise server.refusal(f"no connection in {timing.connect_timeout:g} s") from None
    except OSError as error:
        await connection.abandon()
        raise server.refusal(_text_of(error)) from error
    except UnicodeError:
        # The codec of host names raises it.
        await connection.abandon()
        raise server.refusal("its host is no name that a host can have") from None
    except BaseException:
        await connection.abandon()
        raise
    return connection


async def ask(connection: RespConnection, server: RedisServer, *words: bytes) -> Reply:
    """Send one command and return its reply, unless that is an error.

    Raises:
        DriverError: there is no reply, or the reply is an error.
    """
    try:
        reply = await connection.request(*words)
    except DriverError as error:
        raise server.refusal(str(error)) from None
    if isinstance(reply, hiredis.ReplyError):
        # The texts of Redis name the user and the command, and repeat the rest of a command that Redis does not know.
        text = str(reply).partition(", with args")[0]
        raise server.refusal(f"{words[0].decode()} is refused: {text}")
    return reply


async def _open(connection: RespConnection, server: RedisServer) -> None:
    loop = asyncio.get_running_loop()
    if server.path is not None:
        await loop.create_unix_connection(lambda: connection, server.path)
        return
    hostname = server.host if server.tls is not None else None
    await loop.create_connection(lambda: connection, server.host, server.port, ssl=server.tls, server_hostname=hostname)


async def _log_in(connection: RespConnection, server: RedisServer) -> None:
    if server.password is not None:
        words = [word.encode() for word in (server.username, server.password) if word is not None]
        await ask(connection, server, b"AUTH", *words)
    if server.db:
        await ask(connection, server, b"SELECT", b"%d" % server.db)
    # The reply tells at once whether a login is needed, or the server is still loading its data.
    await ask(connection, server, b"PING")
    if server.must_be_master:
        check_role(await connection.request(b"ROLE"), server)


def check_role(reply: Reply, server: RedisServer) -> None:
    """Refuse a server that is not a master; a server that does not tell its role is accepted.

    Raises:
        DriverError: the server is a replica.
    """
    if isinstance(reply, list) and reply and reply[0] != b"master":
        raise server.refusal("it is not a master")


def _tls_context(url: RedisUrl) -> ssl.SSLContext:
    """Make the TLS context of a `rediss://` URL; it checks certificates unless the parameters say otherwise."""
    said = url.query
    context = ssl.create_default_context(cafile=said.get("ssl_ca_certs"), capath=said.get("ssl_ca_path"))
    if said.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif said.get("ssl_check_hostname", "true").lower() in _FALSE:
        context.check_hostname = False
    if certificate := said.get("ssl_certfile"):
        context.load_cert_chain(certificate, said.get("ssl_keyfile"), said.get("ssl_password"))
    return context


def _text_of(error: OSError) -> str:
    """Return in one line what went wrong."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be verified: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS fails: {error.reason}"
    # The texts of asyncio repeat the address.
    code = error.errno
    return os.strerror(code) if code is not None and code in errno.errorcode else str(error) or type(error).__name__
