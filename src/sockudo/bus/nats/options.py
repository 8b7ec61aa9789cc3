"""Reads the options of the NATS adapter: the addresses of the servers, and the credentials."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote, urlsplit

from sockudo.errors import DriverError, MissingExtraError

if TYPE_CHECKING:
    from sockudo.bus.nats.keys import UserKey

DEFAULT_PORT: Final = 4222
_SECTION: Final = re.compile(r"-{3,}[^\n]*-{3,}\s*(\S+)\s*-{3,}[^\n]*-{3,}")


class NatsOptions(Protocol):
    """The settings of the section `adapter.nats` that the driver reads; the section describes each.

    The driver uses at most one kind of credentials, the first of: `credentials_file`, `nkey_seed`, `token`, `username`,
    the credentials in the address of a server.
    """

    servers: tuple[str, ...]
    prefix: str
    username: str | None
    password: str | None
    token: str | None
    nkey_seed: str | None
    credentials_file: str | None
    tls_ca: str | None
    tls_cert: str | None
    tls_key: str | None
    connection_timeout_ms: int
    request_timeout_ms: int


def asks_for_tls(options: NatsOptions) -> bool:
    """Return whether the driver uses TLS even if neither the address nor the server asks for it."""
    return any((options.tls_ca, options.tls_cert, options.tls_key))


def credentials_setting(options: NatsOptions) -> str:
    """Return the setting that has the credentials, for errors."""
    for name in ("credentials_file", "nkey_seed", "token", "username"):
        if getattr(options, name) is not None:
            return f"adapter.nats.{name}" + (" or password" if name == "username" else "")
    return "adapter.nats.servers"


@dataclass(frozen=True, slots=True)
class NatsServer:
    """One server: where it is, and the credentials that its address carries."""

    host: str
    port: int
    tls: bool = False
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'nats'}://{host}:{self.port}"


def parse_servers(options: NatsOptions) -> list[NatsServer]:
    """Read the addresses.

    Raises:
        DriverError: there is none, or one is not an address.
    """
    if not options.servers:
        raise DriverError("adapter.nats.servers: expected at least one server")
    return [_parse_server(text, position) for position, text in enumerate(options.servers)]


def _parse_server(text: str, position: int) -> NatsServer:
    # The text is not quoted in a message, because it may carry a password.
    problem = DriverError(f"adapter.nats.servers[{position}]: expected nats://host:port or tls://host:port")
    text = text.strip()
    try:
        url = urlsplit(text if "://" in text else f"nats://{text}")
        port = url.port
    except ValueError:
        raise problem from None
    if url.scheme not in ("nats", "tls") or not url.hostname or url.path not in ("", "/") or url.query:
        raise problem
    return NatsServer(
        url.hostname,
        DEFAULT_PORT if port is None else port,
        url.scheme == "tls",
        unquote(url.username) if url.username else None,
        unquote(url.password) if url.password is not None else None,
    )


class Credentials:
    """The credentials for CONNECT; keys are read once and sign the nonce of each connection."""

    def __init__(self, options: NatsOptions) -> None:
        """Read the credentials that the options name.

        Raises:
            DriverError: the credentials file or the seed cannot be used.
            MissingExtraError: the library for keys is missing.
        """
        self._options = options
        self._jwt, seed = _read_credentials(options)
        self._key = None if seed is None else _key_of(seed, credentials_setting(options))

    def fields(self, server: NatsServer, nonce: str) -> dict[str, str]:
        """Return the fields of CONNECT that carry the credentials."""
        options = self._options
        if self._key is not None:
            signature = base64.urlsafe_b64encode(self._key.sign(nonce.encode())).rstrip(b"=").decode()
            if self._jwt is not None:
                return {"jwt": self._jwt, "sig": signature}
            return {"nkey": self._key.public_key, "sig": signature}
        if options.token is not None:
            return {"auth_token": options.token}
        if options.username is not None:
            return {"user": options.username, "pass": options.password or ""}
        if server.username is not None and server.password is not None:
            return {"user": server.username, "pass": server.password}
        return {} if server.username is None else {"auth_token": server.username}


def _read_credentials(options: NatsOptions) -> tuple[str | None, str | None]:
    if options.credentials_file is None:
        return None, options.nkey_seed
    path = Path(options.credentials_file)
    try:
        found = _SECTION.findall(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise DriverError(f"adapter.nats.credentials_file: {path}: {getattr(error, 'strerror', 'not text')}") from None
    if len(found) != 2:
        raise DriverError(f"adapter.nats.credentials_file: {path}: expected a user JWT and a seed")
    return found[0], found[1]


def _key_of(seed: str, setting: str) -> UserKey:
    try:
        # Only a login with a key needs the library.
        from sockudo.bus.nats.keys import UserKey
    except ImportError:
        raise MissingExtraError(f"{setting} needs an optional dependency: pip install 'sockudo[nats]'") from None
    try:
        return UserKey(seed)
    except ValueError as problem:
        raise DriverError(f"{setting}: expected the seed of a user key (SU...), and this is {problem}") from None
