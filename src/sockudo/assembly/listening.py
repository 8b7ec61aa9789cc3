"""Reads from the settings where a server listens, and how sockets come in."""

from __future__ import annotations

from sockudo.assembly.side_ports import side_ports_from_settings
from sockudo.config.model import Settings
from sockudo.ratelimit.networks import Networks
from sockudo.server.accepting.door import Door
from sockudo.server.accepting.redirect import Redirect
from sockudo.server.accepting.renewal import Certificates
from sockudo.server.front import Front
from sockudo.server.server import Listening
from sockudo.supervisor.listening.socket_file import socket_file_of
from sockudo.timing.clock import Clock


def listening_from_settings(settings: Settings, front: Front, clock: Clock) -> Listening:
    """Return where to listen; nothing is opened, and no file is read."""
    names = settings.proxy_protocol.networks
    certificates = Certificates(settings.ssl, clock) if settings.speaks_tls else None
    proxies = Networks(names) if names else None
    refusals = front.websockets.node.refusals
    return Listening(
        host=settings.host,
        port=settings.port,
        socket_file=socket_file_of(settings.unix_socket),
        door=Door(front, refusals, clock, certificates, proxies) if certificates or proxies else None,
        redirect=_redirect(settings, front, clock, proxies),
    )


def _redirect(settings: Settings, front: Front, clock: Clock, proxies: Networks | None) -> Redirect | None:
    if side_ports_from_settings(settings).redirect is None:
        return None
    redirect = Redirect(front)
    if proxies is not None:
        redirect.door = Door(redirect, front.websockets.node.refusals, clock, None, proxies)
    return redirect
