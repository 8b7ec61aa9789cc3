"""Tells whether the address of a peer is in one of a list of networks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

UNIX: Final = "unix"
"""The word for peers on a unix socket, which have no address."""

_REMEMBERED: Final = 1024


class Networks:
    """Networks of IPv4 and IPv6. An IPv4 address within an IPv6 one is the IPv4 address.

    Args:
        names: networks or single addresses, and `UNIX`.
    """

    def __init__(self, names: Iterable[str]) -> None:
        names = tuple(names)
        self._has_unix = UNIX in names
        self._networks = tuple(ip_network(name) for name in names if name != UNIX)
        self._holds_address = lru_cache(maxsize=_REMEMBERED)(self._look)

    def holds(self, peer: str | None) -> bool:
        """Tell whether a peer is in one of the networks; None is a peer on a unix socket."""
        return self._has_unix if peer is None else self._holds_address(peer)

    def _look(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, IPv6Address):
            # The scope of a link-local address names a link of this machine, which no network of the list does.
            address = address.ipv4_mapped or IPv6Address(int(address))
        return any(address in network for network in self._networks)
