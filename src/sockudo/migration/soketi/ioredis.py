"""Converts options of ioredis, soketi's Redis library, to a Redis URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from sockudo.migration.conversions import flag, objects, text, whole
from sockudo.migration.draft import NoEqual

_IN_URL: Final = ("host", "port", "path", "username", "db", "tls")
# Of the connection, but not of its URL.
_BESIDE: Final = ("password", "sentinels", "sentinelPassword", "name")
_KNOWN: Final = (*_IN_URL, *_BESIDE)


def needs_url(options: Mapping[str, Any]) -> bool:
    """Whether the options lead elsewhere than the Redis of `database.redis`."""
    return any(_is_given(options.get(name)) for name in _IN_URL if name != "tls") or uses_tls(options)


def redis_url(options: Mapping[str, Any], *, password: bool = True) -> str:
    """Write the options as a URL, with the login in it.

    Raises:
        NoEqual: one of the options is malformed.
    """
    query = _tls_parameters(options.get("tls"))
    name = quote(text(options["username"]), safe="") if _is_given(options.get("username")) else ""
    secret = quote(text(options["password"]), safe="") if password and _is_given(options.get("password")) else ""
    login = f"{name}{f':{secret}' if secret else ''}@" if name or secret else ""
    database = whole(options.get("db") or 0)
    if _is_given(options.get("path")):
        return f"unix://{login}{quote(text(options['path']))}?db={database}"
    host = text(options.get("host") or "127.0.0.1")
    host = f"[{host}]" if ":" in host else host
    scheme = "rediss" if uses_tls(options) else "redis"
    return f"{scheme}://{login}{host}:{whole(options.get('port') or 6379)}/{database}{query}"


def sentinel_of(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """The sentinels among the options, as a connection of the adapter names them."""
    sentinels = objects(options.get("sentinels"))
    if not sentinels:
        return None
    hosts = [f"{text(one.get('host') or 'localhost')}:{whole(one.get('port') or 26379)}" for one in sentinels]
    found: dict[str, Any] = {"master_name": text(options.get("name") or "mymaster"), "hosts": hosts}
    if _is_given(options.get("sentinelPassword")):
        found["password"] = text(options["sentinelPassword"])
    return found


def unknown_options(options: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of options that have no equal here."""
    yield from (name for name, value in options.items() if name not in _KNOWN and value is not None)


def uses_tls(options: Mapping[str, Any]) -> bool:
    """Whether TLS is asked for: any object does, also an empty one, and any value that is not clearly a no."""
    tls = options.get("tls")
    try:
        return isinstance(tls, Mapping) or (tls is not None and flag(tls))
    except NoEqual:
        return True


def tls_problem(options: Mapping[str, Any]) -> str | None:
    """What cannot be taken over of the options for TLS, or None. The connection is encrypted all the same."""
    tls = options.get("tls")
    if not isinstance(tls, Mapping):
        try:
            flag(tls)
        except NoEqual as reason:
            return f"{reason}; the connection is encrypted here"
        return None
    if set(tls) - {"rejectUnauthorized", "servername"}:
        return "has certificates in it; they are parameters of the URL here, such as ssl_ca_certs=FILE"
    return None


def _tls_parameters(tls: Any) -> str:
    is_unchecked = isinstance(tls, Mapping) and tls.get("rejectUnauthorized") is False
    return "?" + urlencode({"ssl_cert_reqs": "none"}) if is_unchecked else ""


def _is_given(value: Any) -> bool:
    return value not in (None, "")
