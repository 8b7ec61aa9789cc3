"""Takes a Redis URL apart. The forms are those of the official Python library for Redis:

redis://[[user]:password@]host[:port][/db][?name=value]
rediss://...                 the same over TLS
unix://[[user]:password@]/path/to/socket[?db=0]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

_SCHEMES: Final = ("redis", "rediss", "unix")


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """The parts of a URL; None stands for a part that the URL leaves out.

    Attributes:
        path: the path of a unix socket.
        query: the parameters behind `?`, each with its first value.
    """

    scheme: str
    host: str | None
    port: int | None
    path: str | None
    db: int | None
    username: str | None
    password: str | None = field(repr=False)
    query: dict[str, str] = field(repr=False)


def parse_redis_url(url: str) -> RedisUrl:
    """Take a URL apart.

    Raises:
        ValueError: the scheme, the port or the database is not valid. The text may quote the URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"expected one of the schemes {', '.join(_SCHEMES)}")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    is_socket = parts.scheme == "unix"
    return RedisUrl(
        parts.scheme,
        None if is_socket else _decoded(parts.hostname),
        None if is_socket else parts.port,
        _decoded(parts.path) if is_socket else None,
        int(query["db"]) if "db" in query else None if is_socket else _database_of(parts.path),
        _decoded(parts.username),
        _decoded(parts.password),
        query,
    )


def _decoded(text: str | None) -> str | None:
    return unquote(text) if text else None


def _database_of(path: str) -> int | None:
    try:
        return int(unquote(path).replace("/", ""))
    except ValueError:
        return None
