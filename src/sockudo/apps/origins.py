"""Which origins an app lets connect: the patterns of `allowed_origins`.

Rules: an empty list allows everything, a missing `Origin` header included. With any other list the header is needed,
unless the list has `*`. Comparison ignores case. A pattern without a scheme matches both http and https, and
`*.example.com` every host below `example.com` but not `example.com` itself. Elsewhere one `*` stands for any text.
"""

from __future__ import annotations

from collections.abc import Iterable


def validate_pattern(pattern: str) -> str | None:
    """Say what is wrong with a pattern, or None."""
    if not pattern.strip():
        return "must not be empty"
    if pattern.count("*") > 1:
        return 'has more than one "*"'
    if pattern.startswith("*."):
        return _domain_problem(pattern[2:])
    if "://" in pattern:
        scheme, _, host = pattern.partition("://")
        if not scheme:
            return 'has no scheme before "://"'
        if not host:
            return 'has no host after "://"'
    return None


def _domain_problem(domain: str) -> str | None:
    if not domain:
        return 'has no domain after "*."'
    if ".." in domain or domain.startswith(".") or domain.endswith("."):
        return 'has a misplaced "." in its domain'
    return None


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
