"""Kinds of values for lists of networks, whose peers may be believed."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Network, ip_network
from typing import Annotated, Any, Final

from sockudo.config.kinds.values import Check

_UNIX: Final = "unix"


@dataclass(frozen=True, slots=True)
class Network(Check):
    """A network, a single address, or the word for peers on a unix socket."""

    @property
    def expected(self) -> str:
        return 'a network such as "10.0.0.0/8" or "fd00::/8", an address, or "unix"'

    @property
    def type_name(self) -> str:
        return 'network, address or "unix"'

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.refuse()
        text = value.strip()
        if text.lower() == _UNIX:
            return _UNIX
        try:
            network = ip_network(text)
        except ValueError:
            raise self.refuse(_reason(text)) from None
        if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
            # Peers on a socket for both families count as IPv4.
            raise self.refuse("maps IPv4 addresses; write them as IPv4")
        return str(network)


def _reason(text: str) -> str:
    """Say what to write instead where an address has bits behind its prefix."""
    try:
        return f"has bits behind its prefix; write {ip_network(text, strict=False)}"
    except ValueError:
        return ""


NetworkList = tuple[Annotated[str, Network()], ...]
