"""Handlers of the HTTP API that publish events.

Source: Pusher docs, `library_auth_reference/rest-api` ("POST event", "POST batch events") and `rest-api-deprecated`.
"""

from __future__ import annotations

from functools import partial

from sockudo.api.call import Call
from sockudo.api.channel_answers import ChannelAnswers, ChannelQuery
from sockudo.api.messages import EMPTY_OBJECT, Response
from sockudo.apps.app import App
from sockudo.eventual import Eventual, all_done, later, then
from sockudo.node.memory import MemoryGauge
from sockudo.node.publisher import Publisher
from sockudo.node.quotas import AppQuotas
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.large_bodies import LARGE, batch_steps, trigger_steps
from sockudo.pusher.triggers import Trigger, parse_batch, parse_raw_trigger, parse_trigger
from sockudo.timing.slices import Slices


class EventHandlers:
    """`POST /events`, `POST /batch_events` and the deprecated `POST /channels/CHANNEL/events`.

    Attributes:
        answers_info: whether publishers may ask for counts (`info`).
    """

    def __init__(
        self,
        publisher: Publisher,
        answers: ChannelAnswers,
        quotas: AppQuotas,
        memory: MemoryGauge,
        slices: Slices,
    ) -> None:
        self._publisher = publisher
        self._answers = answers
        self._quotas = quotas
        self._memory = memory
        self._slices = slices
        self.answers_info = True

    def trigger(self, call: Call) -> Eventual[Response]:
        """Publish one event to one or more channels."""
        body, limits = call.request.body, call.app.publishing
        if len(body) > LARGE:
            checked = self._slices.run(trigger_steps(body, limits, call.query))
            return later(checked, partial(self._publish_one, call))
        return self._publish_one(call, parse_trigger(body, limits, call.query))

    def batch(self, call: Call) -> Eventual[Response]:
        """Publish several events, in order, all or none of them."""
        body, limits = call.request.body, call.app.publishing
        if len(body) > LARGE:
            return later(self._slices.run(batch_steps(body, limits)), partial(self._publish_batch, call))
        return self._publish_batch(call, parse_batch(body, limits))

    def raw_trigger(self, call: Call) -> Eventual[Response]:
        """Publish the body itself as the data of one event; 202 without a body."""
        (channel,) = call.names
        trigger = parse_raw_trigger(call.request.body, channel, call.query, call.app.publishing)
        return then(self._publish(call, [trigger]), lambda _: Response(202))

    def _publish_one(self, call: Call, trigger: Trigger) -> Eventual[Response]:
        if not trigger.info:
            return then(self._publish(call, [trigger]), lambda _: EMPTY_OBJECT)
        self._check_info()
        questions = [ChannelQuery(name, kind, trigger.info) for name, kind in trigger.targets]
        return then(self._publish(call, [trigger]), lambda _: self._answers.named(call.app.id, questions, trigger.info))

    def _publish_batch(self, call: Call, triggers: list[Trigger]) -> Eventual[Response]:
        if not any(trigger.info for trigger in triggers):
            return then(self._publish(call, triggers), lambda _: EMPTY_OBJECT)
        self._check_info()
        questions = [ChannelQuery(*trigger.targets[0], trigger.info) for trigger in triggers]
        return then(self._publish(call, triggers), lambda _: self._answers.listed(call.app.id, questions))

    def _check_info(self) -> None:
        """Refuse a question about channels where this server has none."""
        if not self.answers_info:
            raise RequestRejected(
                400,
                "Invalid request: this server has no channels to tell of, so 'info' cannot be "
                "answered (server_role is api)",
            )

    def admit(self, app: App, count: int) -> None:
        """Count so many events of an app that are to be published, all or none.

        Raises:
            RequestRejected: 503, the memory gate is shut; 429, the app publishes too much.
        """
        if self._memory.is_over_threshold():
            raise RequestRejected(503, "Over capacity (http_api.accept_traffic.memory_threshold)", retry_after=1)
        self._quotas.take_events(app, count)

    def send(self, app: App, triggers: list[Trigger]) -> Eventual[None]:
        """Publish what was admitted; a future is done when the answer may go out: who subscribes after it gets what is
        kept."""
        if len(triggers) == 1 and len(triggers[0].targets) == 1:
            return self._publisher.publish(app, triggers[0])
        if self._publisher.is_long(app, triggers):
            return self._slices.run(self._publisher.publish_steps(app, triggers))
        return all_done([self._publisher.publish(app, trigger) for trigger in triggers])

    def _publish(self, call: Call, triggers: list[Trigger]) -> Eventual[None]:
        self.admit(call.app, len(triggers))
        return self._send(call, triggers)

    def _send(self, call: Call, triggers: list[Trigger]) -> Eventual[None]:
        return self.send(call.app, triggers)
