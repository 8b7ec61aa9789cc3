"""Makes what serves metrics, where the settings ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sockudo.config.model import Settings
from sockudo.node.node import Node
from sockudo.node.publisher import Publisher
from sockudo.server.front import Front
from sockudo.webhooks.service import WebhookService

if TYPE_CHECKING:
    from sockudo.metrics.service import MetricsService


def metrics_from_settings(
    settings: Settings,
    node: Node,
    publisher: Publisher,
    front: Front,
    webhooks: WebhookService | None,
    worker: int,
    worker_sockets: tuple[Path, int] | None,
) -> MetricsService | None:
    """Return what serves metrics, not started; None where they are off.

    Args:
        worker: the place of this process among the workers of a supervisor; 0 without one.
        worker_sockets: the directory that the workers of a supervisor share, and the serial number of this one.
    """
    section = settings.metrics
    if not section.enabled:
        return None
    # A server without metrics does without the library.
    from sockudo.metrics.collector import Sources
    from sockudo.metrics.service import MetricsService

    sources = Sources(
        node=node,
        publisher=publisher,
        front=front,
        webhooks=webhooks,
        worker=str(worker),
        shares_queue=worker_sockets is not None and settings.queue.driver not in ("memory", "none"),
    )
    return MetricsService(section, sources, worker_sockets)
