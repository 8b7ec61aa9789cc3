"""Publishing over HTTP.

Source: Pusher docs, `library_auth_reference/rest-api` ("POST event", "POST batch events") and `rest-api-deprecated`.
"""

from __future__ import annotations

from sockudo.api.call import Call
from sockudo.api.messages import EMPTY_OBJECT, Response, json_response
from sockudo.eventual import Eventual, all_done, gathered, then
from sockudo.node.memory import MemoryGauge
from sockudo.node.publisher import Publisher
from sockudo.node.queries import Queries
from sockudo.node.quotas import AppQuotas
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.triggers import Trigger, parse_batch, parse_raw_trigger, parse_trigger


class EventHandlers:
    """`POST /events`, `POST /batch_events` and the deprecated `POST /channels/CHANNEL/events`."""

    def __init__(self, publisher: Publisher, queries: Queries, quotas: AppQuotas, memory: MemoryGauge) -> None:
        self._publisher = publisher
        self._queries = queries
        self._quotas = quotas
        self._memory = memory

    def trigger(self, call: Call) -> Eventual[Response]:
        """Publish one event to one or more channels."""
        trigger = parse_trigger(call.request.body, call.app.publishing, call.query)
        published = self._publish(call, [trigger])
        if not trigger.info:
            return then(published, lambda _: EMPTY_OBJECT)
        names = [target.name for target in trigger.targets]
        attributes = gathered([self._attributes(call, trigger, index) for index in range(len(names))])
        told = then(attributes, lambda found: json_response({"channels": dict(zip(names, found, strict=True))}))
        return then(published, lambda _: told)

    def batch(self, call: Call) -> Eventual[Response]:
        """Publish several events, in order, all or none of them."""
        triggers = parse_batch(call.request.body, call.app.publishing)
        published = self._publish(call, triggers)
        if not any(trigger.info for trigger in triggers):
            return then(published, lambda _: EMPTY_OBJECT)
        attributes = gathered([self._attributes(call, trigger, 0) for trigger in triggers])
        told = then(attributes, lambda found: json_response({"batch": found}))
        return then(published, lambda _: told)

    def raw_trigger(self, call: Call) -> Eventual[Response]:
        """Publish the body itself as the data of one event; 202 without a body."""
        (channel,) = call.names
        trigger = parse_raw_trigger(call.request.body, channel, call.query, call.app.publishing)
        return then(self._publish(call, [trigger]), lambda _: Response(202))

    def _publish(self, call: Call, triggers: list[Trigger]) -> Eventual[None]:
        """Publish; a future is done when the answer may go out: who subscribes after it gets what is kept."""
        if self._memory.is_over_threshold():
            raise RequestRejected(503, "Over capacity (http_api.accept_traffic.memory_threshold)", retry_after=1)
        self._quotas.take_events(call.app, len(triggers))
        if len(triggers) == 1:
            return self._publisher.publish(call.app, triggers[0])
        return all_done([self._publisher.publish(call.app, trigger) for trigger in triggers])

    def _attributes(self, call: Call, trigger: Trigger, index: int) -> Eventual[dict[str, object]]:
        name, kind = trigger.targets[index]
        return self._queries.attributes(call.app.id, name, kind, trigger.info)
