"""Makes the parts of a server that is traced."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, TypeVar

from sockudo.assembly.makers.plain import Makers
from sockudo.traced.bus import TracedCluster, TracedRemoteEvents
from sockudo.traced.hub import TracedHub
from sockudo.traced.publishing import TracedEventHandlers, TracedPublisher
from sockudo.traced.sender import TracedSender
from sockudo.tracing.tracing import Tracing
from sockudo.webhooks.service import WebhookService

_Part = TypeVar(
    "_Part", TracedHub, TracedCluster, TracedPublisher, TracedRemoteEvents, TracedEventHandlers, TracedSender
)


class TracedMakers(Makers):
    """Makes parts that begin spans."""

    traces: ClassVar[bool] = True

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    def hub(self, *parts: Any) -> TracedHub:
        return self._traced(TracedHub(*parts))

    def cluster(self, *parts: Any) -> TracedCluster:
        return self._traced(TracedCluster(*parts))

    def publisher(self, *parts: Any) -> TracedPublisher:
        return self._traced(TracedPublisher(*parts))

    def remote_events(self, *parts: Any) -> TracedRemoteEvents:
        return self._traced(TracedRemoteEvents(*parts))

    def events(self, *parts: Any) -> TracedEventHandlers:
        return self._traced(TracedEventHandlers(*parts))

    def sender(self, *parts: Any) -> TracedSender:
        return self._traced(TracedSender(*parts))

    def webhooks(self, service: WebhookService) -> WebhookService:
        service.webhooks.dispatcher.trace = self._tracing.carried
        return service

    async def aclose(self, seconds: float) -> None:
        await asyncio.to_thread(self._tracing.shut_down, seconds)

    def _traced(self, part: _Part) -> _Part:
        part.tracing = self._tracing
        return part
