"""Refuses private addresses for webhooks, checked on the address of the connection.

A name is resolved once, and its address is checked right before the connection is made, so that a name that gives
another address the second time cannot pass.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

# Carries an IPv4 address in its last 32 bits.
_NAT64: Final = IPv6Network("64:ff9b::/96")
# Networks that are not private by the registry, or not in every Python, and yet only reachable inside of a network:
# protocol assignments (with the metadata of Oracle's cloud), the address of Azure's services for its machines, and
# site-local addresses.
_INSIDE: Final = (IPv4Network("192.0.0.0/24"), IPv4Network("168.63.129.16/32"), IPv6Network("fec0::/10"))


class AddressRefusedError(OSError):
    """A webhook goes to an address inside of the server's network."""

    def __init__(self) -> None:
        super().__init__("the address is not a public one (webhooks.allow_private)")


def is_public(address: str) -> bool:
    """Return whether a text is an IP address of the public internet."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return _is_public(parsed)


def public_socket(info: tuple[Any, ...]) -> socket.socket:
    """Make the socket for a connection.

    Args:
        info: family, type, protocol, name and address, as `socket.getaddrinfo` returns them.

    Raises:
        AddressRefusedError: the address is not public.
    """
    family, kind, protocol, _, address = info
    if not is_public(address[0]):
        raise AddressRefusedError
    return socket.socket(family, kind, protocol)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    if any(address in network for network in _INSIDE):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
