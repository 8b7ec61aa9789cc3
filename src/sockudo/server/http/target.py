"""Parses the targets of requests (RFC 9112, section 3.2)."""

from __future__ import annotations

import re
from typing import Final

_ABSOLUTE: Final = re.compile(rb"(?:https?|wss?)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


class TargetError(ValueError):
    """A target names no server."""


def origin_form(target: bytes) -> bytes:
    """Return path and query of a target in absolute form (`http://host/path?query`); any other target as it is.

    A server must take both forms, and proxies send the absolute one. The host in it has no meaning here: there are no
    virtual hosts.

    Raises:
        TargetError: there is no host, or there is a login before it (RFC 9110, section 4.2.4).
    """
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        return target
    authority, rest = absolute.groups()
    if not authority or b"@" in authority:
        raise TargetError("the target must name a host, and no login")
    return rest if rest.startswith(b"/") else b"/" + rest
