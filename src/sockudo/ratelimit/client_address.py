"""Finds the client address to count a request under, behind a known number of proxies.

Each proxy appends the address it was called from to X-Forwarded-For, so with `trust_hops` trusted proxies the client
is that many entries from the end; the client itself may have sent the entries before, so they prove nothing. With no
trusted hop every header is ignored. If that entry is not an address, the proxy itself is counted, because the client
may have written all other entries.

A client with IPv6 has a whole network of addresses, so the network counts as one client. An IPv4 address within an
IPv6 one (`::ffff:192.0.2.1`) is the IPv4 address.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

UNKNOWN: Final = "unknown_ip"
"""The one identity of peers without an address, as on a unix socket."""

IPV6_PREFIX: Final = 64
"""The smallest IPv6 network that providers give to one customer, in bits of its prefix."""

_SINGLE_ADDRESS: Final = 128
_LONGEST_ADDRESS: Final = 64
# `192.0.2.1:4711`, `[2001:db8::1]` and `[2001:db8::1]:4711`, as some proxies write them.
_IPV4_AND_PORT: Final = re.compile(r"([0-9.]+):[0-9]{1,5}", re.ASCII)
_BRACKETS: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?", re.ASCII)


def client_ip(
    peer: str | None, forwarded_for: str | None, real_ip: str | None, trust_hops: int, ipv6_prefix: int = IPV6_PREFIX
) -> str:
    """Return the client to count a request under: an IPv4 address, or the network of an IPv6 address.

    Args:
        forwarded_for: every value of X-Forwarded-For, joined by commas, or None.
        real_ip: X-Real-IP, which counts if X-Forwarded-For is missing.
        ipv6_prefix: bits of an IPv6 address that make a client.
    """
    forwarded = _forwarded(forwarded_for, real_ip, trust_hops) if trust_hops > 0 else None
    return (_counted(forwarded, ipv6_prefix) if forwarded else None) or _counted(peer, ipv6_prefix) or UNKNOWN


def plain_address(text: str) -> str:
    """Return an address in its normal form, an IPv4 address within an IPv6 one as IPv4; other text as it is."""
    return _counted(text, _SINGLE_ADDRESS) or text


def _forwarded(forwarded_for: str | None, real_ip: str | None, trust_hops: int) -> str | None:
    if not forwarded_for:
        return _entry(real_ip) if real_ip else None
    hops = forwarded_for.split(",")
    return _entry(hops[max(0, len(hops) - trust_hops)])


def _entry(text: str) -> str | None:
    text = text.strip(" \t")
    # A zone is a name on the proxy's own machine and means nothing here.
    if len(text) > _LONGEST_ADDRESS or "%" in text:
        return None
    found = _IPV4_AND_PORT.fullmatch(text) or _BRACKETS.fullmatch(text)
    return found[1] if found else text


def _counted(text: str | None, ipv6_prefix: int) -> str | None:
    return _network(text, ipv6_prefix) if text and len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=1024)
def _network(text: str, ipv6_prefix: int) -> str | None:
    """Return an address or its network in its normal form, so that another spelling is not another client."""
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        if ipv6_prefix < _SINGLE_ADDRESS:
            # The network of a link-local address is that of its link, which the zone names.
            network = IPv6Network((int(address), ipv6_prefix), strict=False)
            return f"{network}%{address.scope_id}" if address.scope_id else str(network)
    return str(address)
