"""Makes the parts of a server that can be traced: plain here, with spans in `traced`."""

from __future__ import annotations

from typing import Any, ClassVar

from sockudo.api.events import EventHandlers
from sockudo.cluster.cluster import Cluster
from sockudo.hub.hub import Hub
from sockudo.node.publisher import Publisher
from sockudo.node.remote_events import RemoteEvents
from sockudo.webhooks.delivery.sender import Sender
from sockudo.webhooks.service import WebhookService


class Makers:
    """Makes parts that know nothing of traces; each method takes what the constructor takes.

    Attributes:
        traces: whether the parts look for a trace in each request.
    """

    traces: ClassVar[bool] = False

    def hub(self, *parts: Any) -> Hub:
        """Make the routing table."""
        return Hub(*parts)

    def cluster(self, *parts: Any) -> Cluster:
        """Make the node among the others."""
        return Cluster(*parts)

    def publisher(self, *parts: Any) -> Publisher:
        """Make what publishes."""
        return Publisher(*parts)

    def remote_events(self, *parts: Any) -> RemoteEvents:
        """Make what takes the events of other nodes."""
        return RemoteEvents(*parts)

    def events(self, *parts: Any) -> EventHandlers:
        """Make the handlers of events."""
        return EventHandlers(*parts)

    def sender(self, *parts: Any) -> Sender:
        """Make what sends webhooks."""
        return Sender(*parts)

    def webhooks(self, service: WebhookService) -> WebhookService:
        """Prepare what takes the events for back ends."""
        return service

    async def aclose(self, seconds: float) -> None:
        """Export what is left, within so many seconds; may be called again."""


PLAIN = Makers()
