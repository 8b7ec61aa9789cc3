"""Settings -> the ports beside that of clients; needs no part of a server, since a supervisor opens them too."""

from __future__ import annotations

from sockudo.config.model import Settings
from sockudo.supervisor.listening.side_ports import SidePorts


def side_ports_from_settings(settings: Settings) -> SidePorts:
    """Return where they are; nothing is opened."""
    metrics, ssl = settings.metrics, settings.ssl
    return SidePorts(
        metrics=(metrics.host, metrics.port) if metrics.enabled else None,
        redirect=(settings.host, ssl.http_port) if settings.speaks_tls and ssl.redirect_http else None,
    )
