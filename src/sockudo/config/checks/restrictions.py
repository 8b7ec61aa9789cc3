"""Makes an unknown key a problem where it may restrict something: to ignore it could widen access.

In an app, a webhook and a filter the words of a key tell whether it may restrict. In a section of limits every key may.
Elsewhere only keys that are near to a setting that restricts are refused, because files may have whole sections that
this server does not know.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

# `enableClientMessages`, `channel-prefix` and `max_connections` are made of words.
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
# fmt: off
_RESTRICTING: Final = frozenset((
    "accept", "acl", "allow", "allowed", "auth", "authenticated", "authentication", "authorization", "authorize",
    "authorized", "ban", "banned", "blacklist", "block", "blocked", "cap", "capabilities", "capability",
    "channel", "channels", "client", "cors", "credentials", "decay", "denied", "deny", "disable", "disabled",
    "domain", "domains", "enable", "enabled", "event", "events", "except", "exclude", "excluded", "filter",
    "filters", "forbid", "forbidden", "header", "headers", "hops", "host", "hosts", "include", "included", "ip",
    "ips", "limit", "limited", "limiter", "limiting", "limits", "max", "maximum", "method", "methods", "min",
    "minimum", "namespace", "namespaces", "only", "origin", "origins", "pattern", "permission", "permissions",
    "policies", "policy", "prefix", "private", "public", "quota", "quotas", "rate", "require", "required",
    "requires", "restrict", "restricted", "restrictions", "rights", "secret", "signature", "ssl", "suffix",
    "terminate", "threshold", "tls", "token", "trust", "trusted", "type", "types", "user", "users", "verify",
    "whitelist", "window",
))
# fmt: on
# Words that restrict only where they are said of an app, or of a part of one. They tell who is meant, or when.
# fmt: off
_NARROWING: Final = frozenset((
    "access", "active", "allowlist", "archived", "blocklist", "capacity", "cidr", "condition", "conditions",
    "connections", "deactivated", "deleted", "denylist", "ends", "expiration", "expires", "expiry", "frozen", "glob",
    "ignore", "ignored", "inactive", "lock", "locked", "match", "matches", "matching", "mute", "muted", "not", "off",
    "pause", "paused", "readonly", "redact", "referer", "referers", "referrer", "referrers", "regex", "regexp",
    "revoked", "role", "roles", "scope", "scopes", "sites", "skip", "starts", "status", "suspend", "suspended",
    "throttle", "throttled", "throttling", "topic", "topics", "unless", "when",
))
# fmt: on
# Switches among those words, with the value that restricts nothing.
_SWITCHES: Final[Mapping[str, object]] = {
    "active": True,
    "deleted": False,
    "inactive": False,
    "status": "active",
} | dict.fromkeys(
    ("archived", "deactivated", "frozen", "locked", "muted", "off", "paused", "readonly", "revoked", "suspended"), False
)
# Words that mean a secured connection or a permission in whatever section they stand.
_SECURING: Final = frozenset(
    ("allowlist", "required", "require", "ssl", "sslmode", "tls", "trust", "trusted", "verification", "verify")
)
# How near a key must be to a setting to be taken for a slip of it.
_NEAR: Final = 0.75
# Values with which these keys restrict nothing.
_IDLE: Final[Mapping[str, object]] = {
    **_SWITCHES,
    **{f"is_{name}": value for name, value in _SWITCHES.items()},
    "decay_seconds": 1,
    "disabled": False,
    "enabled": True,
    "terminate_on_limit": False,
}


def restricts(name: str) -> bool:
    """Tell whether a setting may restrict something, by the words of its name."""
    return says_any(name, _RESTRICTING)


def _words(name: str) -> Iterator[str]:
    return (word.lower() for word in _WORD.findall(name))


def secures(name: str) -> bool:
    """Tell whether a setting of any section secures something, by the words of its name."""
    return says_any(name, _SECURING)


def says_any(name: str, words: Collection[str]) -> bool:
    """Tell whether a key is made of any of some words."""
    return any(word in words for word in _words(name))


def nearest(key: str, names: Collection[str], cutoff: float = _NEAR) -> str | None:
    """Return the name that a key is probably a slip of."""
    plain = "_".join(_words(key)) or key.lower()
    return next(iter(get_close_matches(plain, names, n=1, cutoff=cutoff)), None)


def says_nothing(key: str, value: Any) -> bool:
    """Tell whether a key restricts nothing with this value."""
    if value is None or (isinstance(value, (str, list, tuple, dict)) and not value):
        return True
    if key == "message_rate_limit" and isinstance(value, Mapping):
        return value.get("enabled", False) is False
    idle = _IDLE.get(key)
    return type(value) is type(idle) and value == idle


def dropped(values: Mapping[str, Any], known: Collection[str], harmless: Collection[str] = ()) -> Iterator[str]:
    """Yield the unknown keys of an app, or of a part of one, that may restrict something.

    Args:
        values: what a file or a database has.
        known: the names of what is read.
        harmless: names of what is not read and restricts nothing, whatever words it has.
    """
    for key, value in values.items():
        if key in known or key in harmless or says_nothing(key, value):
            continue
        near = nearest(key, known)
        if restricts(key) or says_any(key, _NARROWING) or (near is not None and restricts(near)):
            yield key


def refusal(key: str, known: Collection[str]) -> str:
    """Say that a key is refused, with the name that was probably meant."""
    near = nearest(key, known, 0.6)
    meant = f"did you mean {near}?" if near is not None else "remove it if nothing is to be restricted"
    return f"is unknown, and may restrict something that would stay open; {meant}"


def refusal_of_condition(key: str, known: Collection[str]) -> str:
    """Say that a condition of a filter is refused: without it the webhook would get more channels."""
    near = nearest(key, known, 0.6)
    meant = f"did you mean {near}?" if near is not None else f"the conditions are {', '.join(known)}"
    return f"is an unknown condition, and without it more channels would pass; {meant}"
