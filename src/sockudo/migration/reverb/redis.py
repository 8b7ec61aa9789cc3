"""Converts the Redis connection of Laravel Reverb, from a URL, from parts, or from both.

A URL and a host may say TLS by their scheme, and so may a scheme that stands beside them. Where any of them says it,
the connection is encrypted here. What cannot be read becomes a URL that no server starts with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from sockudo.migration.conversions import Conversion, milliseconds, text, whole
from sockudo.migration.draft import Draft, NoEqual
from sockudo.migration.soketi.ioredis import redis_url

_URL: Final = "adapter.redis.redis_pub_options.url"
_PLAIN: Final = frozenset({"redis", "tcp"})
_ENCRYPTED: Final = frozenset({"rediss", "tls", "ssl"})
_PARTS: Final[Mapping[str, Conversion]] = {
    "host": text,
    "port": whole,
    "username": text,
    "password": text,
    "database": whole,
}
_NAMES: Final = {"database": "db"}
_KNOWN: Final = frozenset({"url", "scheme", "timeout", *_PARTS})


class _Unreadable(Exception):
    """A part of the connection, by its name there, that cannot be read."""

    def __init__(self, name: str, reason: object) -> None:
        super().__init__(reason)
        self.name = name


def convert_redis(server: Mapping[str, Any], key: str, draft: Draft) -> None:
    """Convert the connection of a server that is scaled; `key` is where it stands in Reverb's configuration."""
    draft.convert(f"{key}.timeout", server.get("timeout"), "adapter.redis.requests_timeout", milliseconds)
    for name in server:
        if name not in _KNOWN:
            draft.remark(f"{key}.{name}", "has no equal among the options of a connection here")
    for name in ("url", "host"):
        for parameter in _unknown_parameters(server.get(name)):
            draft.remark(f"{key}.{name}", f"its parameter {parameter} has no equal here")
    try:
        url = _as_url(server)
    except _Unreadable as problem:
        # Any address would be another one than Reverb's, so none is written that a server starts with.
        draft.put(_URL, "")
        draft.remark(f"{key}.{problem.name}", f"{problem}; write the address as {_URL}")
        return
    if url is not None:
        draft.put(_URL, url)
        return
    for name, conversion in _PARTS.items():
        draft.convert(f"{key}.{name}", server.get(name), f"database.redis.{_NAMES.get(name, name)}", conversion)


def _as_url(server: Mapping[str, Any]) -> str | None:
    """The connection as one URL, or None where its parts are settings of ours.

    Raises:
        _Unreadable: a part of it is malformed.
    """
    layers = [
        {name: value for name, value in server.items() if name in (*_PARTS, "scheme")},
        _inside(server.get("host"), "host") if "://" in str(server.get("host")) else {},
        _inside(server.get("url"), "url"),
    ]
    schemes = {_scheme(layer["scheme"]) for layer in layers if _is_given(layer.get("scheme"))}
    is_encrypted = bool(schemes & _ENCRYPTED)
    if not (is_encrypted or layers[1] or layers[2]):
        return None
    if "unix" in schemes and is_encrypted:
        raise _Unreadable("scheme", "asks for TLS on a socket in the file system, which has none")
    merged = {name: value for layer in layers for name, value in layer.items() if _is_given(value)}
    options = {_NAMES.get(name, name): _checked(name, value) for name, value in merged.items()}
    return redis_url(options | {"tls": is_encrypted})


def _checked(name: str, value: Any) -> Any:
    try:
        conversion: Conversion = _PARTS.get(name, text)
        return conversion(value)
    except NoEqual as reason:
        raise _Unreadable(name, reason) from None


def _scheme(value: Any) -> str:
    found = str(value).strip().lower()
    if found not in _PLAIN | _ENCRYPTED | {"unix"}:
        raise _Unreadable("scheme", "is neither redis, tcp, rediss, tls nor unix")
    return found


def _inside(value: Any, what: str) -> dict[str, Any]:
    """What a URL says, by the names that stand beside it otherwise."""
    if not _is_given(value):
        return {}
    url = _checked(what, value).strip()
    try:
        parts = urlsplit(url if "://" in url else f"tcp://{url}")
        found = _of_the_place(parts)
    except ValueError:
        raise _Unreadable(what, "is no address such as rediss://user:password@host:6379/0") from None
    given = dict(parse_qsl(parts.query))
    found |= {name: given[name] for name in ("scheme", *_PARTS) if name in given}
    if "db" in given and "database" not in given:
        found["database"] = given["db"]
    if found.get("scheme") != parts.scheme and parts.scheme in _ENCRYPTED:
        found["scheme"] = parts.scheme
    if not str(found.get("database") or 0).isdecimal():
        raise _Unreadable(what, "has a database that is no number")
    return found


def _of_the_place(parts: SplitResult) -> dict[str, Any]:
    """What the address itself says.

    Raises:
        ValueError: it is no address.
    """
    if parts.fragment or (parts.netloc and not parts.hostname):
        raise ValueError("a part of a login ends the address")
    if parts.scheme == "unix":
        return {"scheme": "unix", "path": unquote(parts.path)}
    return {
        "scheme": parts.scheme,
        "host": parts.hostname,
        "port": parts.port,
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": parts.path.strip("/"),
    }


def _unknown_parameters(value: Any) -> list[str]:
    _, _, query = (value if isinstance(value, str) else "").partition("?")
    return [name for name, _ in parse_qsl(query) if name not in (*_PARTS, "scheme", "db")]


def _is_given(value: Any) -> bool:
    return value not in (None, "")
