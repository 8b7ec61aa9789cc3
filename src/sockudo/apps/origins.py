"""Checks the origin of a client against the patterns of `allowed_origins`.

Rules: an empty list allows everything, a missing `Origin` header included. With any other list the header is needed,
unless the list has `*`. Comparison ignores case. A pattern without a scheme matches both http and https, and
`*.example.com` every host below `example.com` but not `example.com` itself. Elsewhere one `*` stands for any text.

A pattern is written as browsers write origins, and one that no browser can meet is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Final

_SCHEME: Final = re.compile(r"[a-z*][a-z0-9+.*-]*", re.ASCII)
_HOST: Final = re.compile(r"[a-z0-9._*-]+", re.ASCII)
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
# Browsers leave these out of an origin.
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


class OriginError(ValueError):
    """A text is not a valid origin or pattern of origins. The error says why, after the word "it"."""


def normalise_origin(text: str) -> str:
    """Return an origin as browsers send it: in lower case, an ASCII host, no default port, no slash at its end.

    Raises:
        OriginError: no browser sends this origin.
    """
    origin = _trimmed(text)
    scheme, separator, place = origin.partition("://")
    if not separator:
        raise OriginError("has no scheme: write https:// or http:// before the host")
    if "*" in origin:
        raise OriginError('has a "*"')
    return f"{scheme}://{_place(_checked_scheme(scheme), place)}"


def normalise_pattern(text: str) -> str:
    """Return a pattern of origins in the form that `AllowedOrigins` compares.

    Raises:
        OriginError: the pattern can match nothing that a browser sends.
    """
    pattern = _trimmed(text)
    if pattern in ("*", "null"):
        return pattern
    if pattern.count("*") > 1:
        raise OriginError('has more than one "*"')
    scheme, separator, place = pattern.partition("://")
    if separator:
        return f"{scheme}://{_place(_checked_scheme(scheme), place)}"
    return _without_scheme(pattern)


def validate_pattern(pattern: str) -> str | None:
    """Return why a pattern is not valid, or None."""
    try:
        normalise_pattern(pattern)
    except OriginError as error:
        return str(error)
    return None


def _trimmed(text: str) -> str:
    origin = text.strip().lower()
    if not origin:
        raise OriginError("is empty")
    if origin.startswith(('["', "['", '"', "'")):
        raise OriginError("is written as JSON: write origins in a variable with commas between them, without quotes")
    return origin


def _checked_scheme(scheme: str) -> str:
    if not scheme:
        raise OriginError('has no scheme before "://"')
    if scheme in ("ws", "wss"):
        raise OriginError("has the scheme of the connection: the origin is that of the page, http or https")
    if not _SCHEME.fullmatch(scheme):
        raise OriginError('has no valid scheme before "://"')
    return scheme


def _without_scheme(pattern: str) -> str:
    place = _place("", pattern)
    if place.find("*") > 0:
        raise OriginError('needs a scheme, because its "*" is not at the start: write http:// or https:// before it')
    for scheme, port in _DEFAULT_PORTS.items():
        if place.endswith(f":{port}"):
            bare = place.removesuffix(f":{port}")
            raise OriginError(f"has a port that browsers leave out: write {scheme}://{bare}")
    return place


def _place(scheme: str, text: str) -> str:
    """Return host and port as browsers write them after a scheme."""
    place = text.removesuffix("/")
    if set(place) & set("/?#"):
        raise OriginError("has a path: an origin ends with its host or its port")
    if "@" in place:
        raise OriginError("has a login: an origin has none")
    host, port = _split_port(place)
    if not host:
        raise OriginError('has no host after "://"' if scheme else "has no host")
    host = _host(host)
    if not port or port == _DEFAULT_PORTS.get(scheme):
        return host
    return f"{host}:{port}"


def _split_port(place: str) -> tuple[str, str]:
    """Split off the port, which may be a `*`."""
    if place.startswith("["):
        host, bracket, rest = place.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise OriginError("has no valid IPv6 address in its brackets")
        host, colon, port = f"{host}]", rest[:1], rest[1:]
    else:
        host, colon, port = place.partition(":")
    if not colon:
        return host, ""
    if port == "*":
        return host, port
    if not _PORT.fullmatch(port) or not 0 < int(port) <= 65535:
        raise OriginError("has a port that is not a number from 1 to 65535")
    return host, str(int(port))


def _host(host: str) -> str:
    if host.startswith("["):
        return _ipv6(host)
    subdomains = host.startswith("*.")
    domain = _ascii(host[2:] if subdomains else host)
    if subdomains and not domain:
        raise OriginError('has no domain after "*."')
    if subdomains and (".." in domain or domain.startswith(".") or domain.endswith(".")):
        raise OriginError('has a misplaced "." in its domain')
    if not _HOST.fullmatch(domain):
        raise OriginError("has a character that no host has")
    return f"*.{domain}" if subdomains else domain


def _ipv6(host: str) -> str:
    try:
        return f"[{IPv6Address(host[1:-1]).compressed}]"
    except ValueError:
        raise OriginError("has no valid IPv6 address in its brackets") from None


def _ascii(domain: str) -> str:
    """Return a domain as browsers send it: names of other scripts in their ASCII form."""
    if domain.isascii():
        return domain
    # Imported here, because only names that are not ASCII need its tables.
    import idna

    try:
        return ".".join(
            label if label.isascii() else idna.encode(label, uts46=True).decode() for label in domain.split(".")
        )
    except UnicodeError:
        raise OriginError("has a host that no domain name can be") from None


class AllowedOrigins:
    """The origins that one app accepts."""

    __slots__ = ("_around", "_below", "_everything", "_exact", "_without_scheme")

    def __init__(self, patterns: Iterable[str] | None) -> None:
        listed = [pattern.lower() for pattern in patterns or ()]
        self._everything: bool = not listed or "*" in listed
        self._exact: frozenset[str] = frozenset(listed)
        self._without_scheme: frozenset[str] = frozenset(entry for entry in listed if "://" not in entry)
        self._below: tuple[str, ...] = tuple(entry[1:] for entry in listed if _is_subdomains(entry))
        self._around: tuple[tuple[str, str], ...] = tuple(
            (before, after)
            for before, star, after in (entry.partition("*") for entry in listed if not _is_subdomains(entry))
            if star
        )

    def allows(self, origin: str | None) -> bool:
        """Decide about the value of an `Origin` header; None is a request without one."""
        if self._everything:
            return True
        if not origin:
            return False
        origin = origin.lower()
        # The port stays part of the host: a pattern without a port matches only origins without one.
        host = origin.partition("://")[2] or origin
        return (
            origin in self._exact
            or host in self._without_scheme
            or any(host.endswith(suffix) and len(host) > len(suffix) for suffix in self._below)
            or any(_surrounds(before, after, origin) for before, after in self._around)
        )


def _is_subdomains(pattern: str) -> bool:
    return pattern.startswith("*.") and "://" not in pattern


def _surrounds(before: str, after: str, origin: str) -> bool:
    # The lengths keep the two parts from overlapping in the origin.
    return len(origin) >= len(before) + len(after) and origin.startswith(before) and origin.endswith(after)
