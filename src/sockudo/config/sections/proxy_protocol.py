"""`proxy_protocol`: which proxies name the client in a header before everything else (PROXY protocol)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sockudo.config.kinds.networks import NetworkList
from sockudo.config.kinds.section import Section, env


class ProxyProtocolSettings(Section):
    """Proxies that name the client in a PROXY protocol header, version 1 or 2."""

    networks: Annotated[NetworkList, env("PROXY_PROTOCOL_NETWORKS")] = Field(
        default=(),
        description="Networks of proxies that begin every connection with the header; the server closes a connection "
        "from them without it, and one from elsewhere with it. Empty is off. `unix` is every peer of unix_socket. Not "
        "a setting of the original.",
    )
