"""Whose requests are counted together: the address of the client, behind as many proxies as are configured.

Each proxy appends the address it was called from to X-Forwarded-For, so with `trust_hops` proxies of ours the client
is that many entries from the end; what stands before it was sent by the client and proves nothing. With no trusted
hop every header is ignored.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import Final

UNKNOWN: Final = "unknown_ip"
"""The one identity of peers without an address, as on a unix socket."""

_LONGEST_ADDRESS: Final = 64


def client_ip(peer: str | None, forwarded_for: str | None, real_ip: str | None, trust_hops: int) -> str:
    """Return the address to count a request under; what is not an IP address is passed over."""
    forwarded = _forwarded(forwarded_for, real_ip, trust_hops) if trust_hops > 0 else None
    return forwarded or _address(peer) or UNKNOWN


def _forwarded(forwarded_for: str | None, real_ip: str | None, trust_hops: int) -> str | None:
    hops = forwarded_for.split(",") if forwarded_for else [""]
    return _header_address(hops[max(0, len(hops) - trust_hops)]) or _header_address(real_ip)


def _header_address(text: str | None) -> str | None:
    # A zone is a name on the proxy's own machine and means nothing here.
    return _address(text.strip()) if text and "%" not in text else None


def _address(text: str | None) -> str | None:
    return _canonical(text) if text and len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=1024)
def _canonical(text: str) -> str | None:
    """Return the one spelling of an address, so that another spelling is not another client."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None
