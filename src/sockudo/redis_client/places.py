"""Settings -> where the Redis of a part is: `database.redis`, unless the part has an address of its own."""

from __future__ import annotations

from collections.abc import Iterable

from sockudo.config.sections.database import ClusterNodeAddress, RedisDatabaseSettings
from sockudo.redis_client.options import Sentinels


def server_url(database: RedisDatabaseSettings) -> str:
    """Return the address of the server of `database.redis`."""
    return _url(database)


def database_sentinels(database: RedisDatabaseSettings) -> Sentinels | None:
    """Return the sentinels of `database.redis`, if there are any."""
    if not database.sentinels:
        return None
    hosts = tuple((sentinel.host, sentinel.port) for sentinel in database.sentinels)
    return Sentinels(hosts, database.name, password=database.sentinel_password)


def cluster_nodes(database: RedisDatabaseSettings, own: Iterable[str] = ()) -> tuple[str, ...]:
    """Return URLs of some nodes of a Redis Cluster: the part's own, else those of `database.redis`."""
    urls = tuple(address if "://" in address else f"redis://{address}" for address in own)
    urls = urls or tuple(_url(node) for node in database.cluster_nodes)
    if not database.cluster.use_tls:
        return urls
    return tuple(f"rediss://{url.removeprefix('redis://').removeprefix('rediss://')}" for url in urls)


def cluster_login(database: RedisDatabaseSettings) -> tuple[str | None, str | None]:
    """Return user and password for a Redis Cluster: both its own, or both those of `database.redis`."""
    own = database.cluster
    return (own.username, own.password) if own.password is not None else (database.username, database.password)


def host_and_port(text: str, default: int) -> tuple[str, int]:
    """Read `host:port`, `[address]:port` or a host alone."""
    host, colon, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if colon and port.isdecimal() else (text, default)


def _url(server: ClusterNodeAddress | RedisDatabaseSettings) -> str:
    """Return the address of a server. A port in its host wins over its own."""
    scheme, separator, rest = server.host.rpartition("://")
    login, at, place = rest.rpartition("@")
    host, port = (place, server.port) if _is_bare_ipv6(place) else host_and_port(place, server.port)
    return f"{scheme if separator else 'redis'}://{login}{at}{_bracketed(host)}:{port}"


def _is_bare_ipv6(host: str) -> bool:
    return host.count(":") > 1 and not host.startswith("[")


def _bracketed(host: str) -> str:
    return f"[{host}]" if _is_bare_ipv6(host) else host
