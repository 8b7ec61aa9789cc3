"""Finds where the Redis of a part is: `database.redis` says it, unless the part has an address of its own."""

from __future__ import annotations

from collections.abc import Iterable

from sockudo.errors import ConfigError
from sockudo.redis_client.options import HostSection, RedisNodes, RedisSection, RedisTarget, Sentinels


def redis_target(database: RedisSection, url: str | None, setting: str) -> RedisTarget:
    """Return the one Redis of a part: that of its own URL, else `database.redis`, perhaps behind sentinels.

    Args:
        setting: the path of the part's own URL.
    """
    return RedisTarget(
        url=url or server_url(database),
        setting=f"{setting} or database.redis",
        username=database.username,
        password=database.password,
        db=database.db,
        sentinels=None if url else database_sentinels(database),
    )


def redis_nodes(database: RedisSection, own: Iterable[str], setting: str, reason: str) -> RedisNodes:
    """Return the Redis Cluster of a part: its own nodes, else those of `database.redis`.

    Args:
        setting: the paths of the settings that may have them.
        reason: what asks for a Redis Cluster.

    Raises:
        ConfigError: there are no nodes.
    """
    urls = cluster_nodes(database, own)
    if not urls:
        raise ConfigError([f"{setting}: {reason} needs the address of at least one node"])
    return RedisNodes(urls, setting, *cluster_login(database))


def server_url(database: RedisSection) -> str:
    """Return the address of the server of `database.redis`."""
    return _url(database)


def database_sentinels(database: RedisSection) -> Sentinels | None:
    """Return the sentinels of `database.redis`, if there are any."""
    if not database.sentinels:
        return None
    hosts = tuple((sentinel.host, sentinel.port) for sentinel in database.sentinels)
    return Sentinels(hosts, database.name, password=database.sentinel_password)


def cluster_nodes(database: RedisSection, own: Iterable[str] = ()) -> tuple[str, ...]:
    """Return URLs of some nodes of a Redis Cluster: the part's own, else those of `database.redis`."""
    urls = tuple(address if "://" in address else f"redis://{address}" for address in own)
    urls = urls or tuple(_url(node) for node in database.cluster_nodes)
    if not database.cluster.use_tls:
        return urls
    return tuple(f"rediss://{url.removeprefix('redis://').removeprefix('rediss://')}" for url in urls)


def cluster_login(database: RedisSection) -> tuple[str | None, str | None]:
    """Return user and password for a Redis Cluster: both its own, or both those of `database.redis`."""
    own = database.cluster
    return (own.username, own.password) if own.password is not None else (database.username, database.password)


def host_and_port(text: str, default: int) -> tuple[str, int]:
    """Read `host:port`, `[address]:port` or a host alone."""
    host, colon, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if colon and port.isdecimal() else (text, default)


def _url(server: HostSection) -> str:
    """Return the address of a server. A port in its host wins over its own."""
    scheme, separator, rest = server.host.rpartition("://")
    login, at, place = rest.rpartition("@")
    host, port = (place, server.port) if _is_bare_ipv6(place) else host_and_port(place, server.port)
    return f"{scheme if separator else 'redis'}://{login}{at}{_bracketed(host)}:{port}"


def _is_bare_ipv6(host: str) -> bool:
    return host.count(":") > 1 and not host.startswith("[")


def _bracketed(host: str) -> str:
    return f"[{host}]" if _is_bare_ipv6(host) else host
