"""Addresses of servers: checks their form, and shows them without logins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from sockudo.config.kinds.values import Check

_HIDDEN: Final = "***"
# Scheme, login with host and port, path, and what comes after it.
_PARTS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)?([^/?#]*)(/[^?#]*)?(.*)", re.DOTALL)
_DATABASE: Final = re.compile(r"(/[0-9]{0,9})?", re.ASCII)


class Address(Check):
    """Where a server is. The text may hold a login, so it is never quoted."""

    __slots__ = ()

    def shown(self, text: str) -> str:
        """Return the address without what may be secret in it."""
        return without_login(text)


@dataclass(frozen=True, slots=True)
class RedisAddress(Address):
    """The URL of a Redis, or null."""

    @property
    def expected(self) -> str:
        return "a URL such as redis://user:password@host:6379/0 or null"

    @property
    def type_name(self) -> str:
        return "Redis URL or null"

    def check(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or not _is_redis_url(value):
            raise self.refuse_unquoted(wrong_part(value, ("redis", "rediss", "unix")))
        return value


@dataclass(frozen=True, slots=True)
class RedisNode(Address):
    """One node of a Redis Cluster, with or without a scheme."""

    @property
    def expected(self) -> str:
        return "the address of a node such as host:6379 or rediss://user:password@host:6379"

    @property
    def type_name(self) -> str:
        return "Redis node"

    def check(self, value: Any) -> str:
        if isinstance(value, str):
            url = value if "://" in value else f"redis://{value}"
            parts = split_address(url)
            if parts is not None and parts.scheme != "unix" and parts.hostname and _is_redis_url(url):
                return value
        raise self.refuse_unquoted(wrong_part(value, ("redis", "rediss"), default="redis"))


@dataclass(frozen=True, slots=True)
class RedisHost(Address):
    """The host of a node of a Redis Cluster, whose port stands beside it."""

    @property
    def expected(self) -> str:
        return "a host, perhaps with redis:// or rediss:// and a port"

    @property
    def type_name(self) -> str:
        return "host"

    def check(self, value: Any) -> str:
        try:
            RedisNode().check(f"[{value}]" if _is_bare_ipv6(value) else value)
        except ValueError:
            raise self.refuse_unquoted() from None
        # The port comes after it, and the database is a setting of its own.
        if set(value.rpartition("://")[2]) & set("/?"):
            raise self.refuse_unquoted()
        return str(value)


@dataclass(frozen=True, slots=True)
class NatsAddress(Address):
    """One server of NATS, with or without a scheme."""

    @property
    def expected(self) -> str:
        return "the address of a server such as nats://user:password@host:4222"

    @property
    def type_name(self) -> str:
        return "NATS server"

    def check(self, value: Any) -> str:
        if isinstance(value, str):
            parts = split_address(value if "://" in value else f"nats://{value}")
            if parts is not None and parts.scheme in ("nats", "tls") and _is_place(parts):
                return value
        raise self.refuse_unquoted(wrong_part(value, ("nats", "tls"), default="nats"))


@dataclass(frozen=True, slots=True)
class KafkaBroker(Address):
    """One broker of Kafka."""

    @property
    def expected(self) -> str:
        return "the address of a broker such as host:9092"

    @property
    def type_name(self) -> str:
        return "Kafka broker"

    def check(self, value: Any) -> str:
        if isinstance(value, str):
            parts = split_address(f"kafka://{value}")
            # A login is nothing that its addresses have.
            if parts is not None and parts.hostname and parts.netloc == value and "@" not in value:
                return value
        raise self.refuse_unquoted(wrong_part(value, ()))


@dataclass(frozen=True, slots=True)
class CqlNode(Address):
    """One node of ScyllaDB or Cassandra."""

    @property
    def expected(self) -> str:
        return "the address of a node such as host:9042"

    @property
    def type_name(self) -> str:
        return "CQL node"

    def check(self, value: Any) -> str:
        if isinstance(value, str):
            place = f"[{value}]" if _is_bare_ipv6(value) else value
            parts = split_address(f"cql://{place}")
            # The login is in settings of its own.
            if parts is not None and parts.hostname and parts.netloc == place and "@" not in place:
                return value
        raise self.refuse_unquoted(wrong_part(value, ()))


OptionalRedisUrl = Annotated[str | None, RedisAddress()]
RedisNodeList = tuple[Annotated[str, RedisNode()], ...]
NatsServers = tuple[Annotated[str, NatsAddress()], ...]
KafkaBrokers = tuple[Annotated[str, KafkaBroker()], ...]
CqlNodes = tuple[Annotated[str, CqlNode()], ...]


def without_login(text: str, *, path: bool = True) -> str:
    """Return an address with its password, its parameters and, without `path`, its path replaced.

    A user without a password is replaced too: some servers take a token in its place.
    """
    match = _PARTS.fullmatch(text)
    assert match is not None  # each part may be empty, and the last takes any text
    scheme, place, tail, rest = match.groups("")
    login, at, host = place.rpartition("@")
    if at:
        user, _, password = login.partition(":")
        login = f"{user}:{_HIDDEN}" if password else _HIDDEN
    if len(tail) > 1 and not path:
        tail = f"/{_HIDDEN}"
    return f"{scheme}{login}{at}{host}{tail}{rest[:1]}{_HIDDEN if rest else ''}"


def _is_redis_url(text: str) -> bool:
    # Drivers look at the scheme as it is written, and a database that is no number would silently be the first one.
    parts = split_address(text)
    if parts is None or not text.startswith(("redis://", "rediss://", "unix://")):
        return False
    databases = parse_qs(parts.query).get("db", ["0"])
    if not all(number.isascii() and number.isdecimal() for number in databases):
        return False
    return bool(parts.path) if parts.scheme == "unix" else bool(_DATABASE.fullmatch(parts.path))


def wrong_part(value: Any, schemes: tuple[str, ...], default: str = "") -> str:
    """Say which part of an address is wrong, after the word "it" and without quoting any; nothing where it is unclear.

    Args:
        value: the address.
        schemes: those that it may have; where there are none, it has no scheme at all.
        default: the one that it has where it has none.
    """
    if not isinstance(value, str) or not value:
        return ""
    scheme, separator, rest = value.partition("://")
    if separator and scheme not in schemes:
        return _wrong_scheme(schemes)
    if not separator and schemes and not default:
        return f"has no scheme: begin with {schemes[0]}://"
    place = re.split("[/?#]", rest if separator else value, maxsplit=1)[0]
    if not schemes and "@" in place:
        return "has a login: that is in settings of its own"
    return _wrong_place(place) or "has a path, a database or parameters that are not expected"


def _wrong_scheme(schemes: tuple[str, ...]) -> str:
    if not schemes:
        return "has a scheme: write host and port alone"
    others = " or ".join(f"{scheme}://" for scheme in schemes)
    tls = " (TLS is rediss://)" if "rediss" in schemes else ""
    return f"has another scheme than {others}{tls}"


def _wrong_place(place: str) -> str:
    """Say what is wrong with the part between the scheme and the path."""
    host = place.rpartition("@")[2]
    if not place.isprintable() or " " in place:
        return "has a blank or a control character: write it as %20 and the like"
    if host.startswith("[") != ("]" in host):
        return "has a bracket without its pair"
    name, colon, port = ("", "", "") if host.endswith("]") else host.rpartition(":")
    if colon and name.count(":") and not name.endswith("]"):
        return "has an address of IPv6 without brackets"
    if colon and not (port.isascii() and port.isdecimal() and 0 < int(port) <= 65535):
        return "has a port that is not a number from 1 to 65535"
    if not (name if colon else host):
        return "has no host"
    return "" if is_encodable(name if colon else host) else "has a host that no name can be"


def _is_bare_ipv6(value: Any) -> bool:
    """Whether this is an address of IPv6 without the brackets that a URL has around one."""
    return isinstance(value, str) and value.count(":") > 1 and not set(value) & set("/@[")


def is_encodable(host: str) -> bool:
    """Whether a name can be asked for: what cannot be is an error of a codec later, which no driver expects."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _is_place(parts: SplitResult) -> bool:
    """Whether a URL names a host, and nothing on it."""
    return bool(parts.hostname) and parts.path in ("", "/") and not parts.query


def split_address(text: str) -> SplitResult | None:
    """The parts of a URL with a port and a host that can be one, or None."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if not is_encodable(parts.hostname or ""):
        return None
    return parts if text.isprintable() and " " not in parts.netloc and port != 0 and not parts.fragment else None
