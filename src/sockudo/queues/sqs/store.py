"""One queue of SQS: finds or makes it, and sends, receives, hides and deletes its messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sockudo.errors import DriverError
from sockudo.log import get_logger
from sockudo.queues.sqs.client import Refused, SqsClient
from sockudo.queues.sqs.options import SqsQueueOptions
from sockudo.queues.sqs.records import MAX_MESSAGE_BYTES

BATCH: Final = 10
"""The most messages that SQS takes and gives at a time."""
LONGEST_HIDING: Final = 43_200
"""The longest time to hide a message (seconds)."""
_MISSING: Final = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
# Errors of old receipts: SQS has given the message to another process, or it is gone.
_OVER: Final = frozenset(
    {
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
    }
)
_SIZES: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)

_log = get_logger("queue")


class Message(NamedTuple):
    """A received message; `receipt` is the right to hide and delete it, `receives` the number of its receipts."""

    id: str
    receipt: str
    text: str
    receives: int


class NewMessage(NamedTuple):
    """A message to send. A FIFO queue gives messages of one `group` in order, and takes one of each `key`."""

    text: str
    group: str
    key: str


class MessageStore:
    """One queue of SQS. Every method raises `DriverError` if SQS does not answer."""

    def __init__(self, client: SqsClient, options: SqsQueueOptions, name: str, attributes: Mapping[str, str]) -> None:
        """Make an object for a queue; call `find` before anything else.

        Args:
            client: calls SQS.
            options: where the queue is, and whether it is a FIFO queue.
            name: its name.
            attributes: its attributes, if it is missing and this server makes it.
        """
        self._client = client
        self._name = name
        section = options.section
        self._fifo = section.fifo
        self._url = ""
        if section.queue_url_prefix is not None:
            self._url = section.queue_url_prefix + name
            # The prefix may have the beginning of the name in it.
            self._name = self._url.rpartition("/")[2]
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if section.fifo else {}
        self._attributes = {**attributes, **fifo}

    async def find(self) -> None:
        """Find the queue, or make it, and check its attributes.

        Raises:
            DriverError: the queue cannot be used; the message names the setting.
        """
        refusal = ""
        found = await self._look()
        if found is None:
            refusal = await self._make()
            found = await self._look()
        if found is None:
            raise self._client.unusable(f"there is no queue {self._name}, and it cannot be made: {refusal}")
        size = int(found.get("MaximumMessageSize", MAX_MESSAGE_BYTES))
        if size < MAX_MESSAGE_BYTES:
            raise self._client.unusable(
                f"the queue {self._name} takes messages of {size} bytes; set its MaximumMessageSize to "
                f"{MAX_MESSAGE_BYTES} or more"
            )
        if "RedrivePolicy" in found:
            _log.warning("webhook queue: its redrive policy lets SQS take away jobs that are received often",
                         queue=self._name)  # fmt: skip

    async def check(self) -> None:
        """Return if the queue can be used."""
        await self._ask("get_queue_attributes", AttributeNames=["QueueArn"])

    async def size(self) -> int:
        """Return about how many messages it has."""
        answer = await self._ask("get_queue_attributes", AttributeNames=list(_SIZES))
        return sum(int(answer["Attributes"].get(name, 0)) for name in _SIZES)

    async def send(self, messages: Sequence[NewMessage]) -> list[int]:
        """Send up to `BATCH` messages; return the places of those that SQS did not take, and log why."""
        entries: list[dict[str, str]] = []
        for place, message in enumerate(messages):
            entry = {"Id": str(place), "MessageBody": message.text}
            if self._fifo:
                entry |= {"MessageGroupId": message.group, "MessageDeduplicationId": message.key}
            entries.append(entry)
        answer = await self._ask("send_message_batch", Entries=entries)
        failures = answer.get("Failed", [])
        if failures:
            _log.warning("webhook queue: SQS has not taken a message", queue=self._name, reason=_reason(failures[0]))
        return [int(failure["Id"]) for failure in failures]

    async def receive(self, limit: int, hidden: int, wait: int) -> list[Message]:
        """Return up to `limit` messages, which no other process gets for `hidden` seconds."""
        answer = await self._ask(
            "receive_message",
            wait=wait,
            MaxNumberOfMessages=limit,
            VisibilityTimeout=hidden,
            WaitTimeSeconds=wait,
            AttributeNames=["ApproximateReceiveCount"],
        )
        return [
            Message(
                one["MessageId"],
                one["ReceiptHandle"],
                one["Body"],
                int(one.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
            )
            for one in answer.get("Messages", [])
        ]

    async def hide(self, receipts: Sequence[tuple[str, int]]) -> list[bool]:
        """Hide messages for some seconds each, from now; return for each whether this process still holds it.

        Raises:
            DriverError: SQS did not answer for some.
        """
        ours: list[bool] = []
        for start in range(0, len(receipts), BATCH):
            part = receipts[start : start + BATCH]
            entries = [
                {"Id": str(place), "ReceiptHandle": receipt, "VisibilityTimeout": min(seconds, LONGEST_HIDING)}
                for place, (receipt, seconds) in enumerate(part)
            ]
            answer = await self._ask("change_message_visibility_batch", Entries=entries)
            over = set()
            for failure in answer.get("Failed", []):
                if failure.get("Code") not in _OVER:
                    raise self._client.unusable(_reason(failure))
                over.add(int(failure["Id"]))
            ours += [place not in over for place in range(len(part))]
        return ours

    async def delete(self, receipt: str) -> bool:
        """Delete a message; return whether this process still held it."""
        try:
            await self._ask("delete_message", ReceiptHandle=receipt)
        except Refused as refused:
            if refused.code not in _OVER:
                raise
            return False
        return True

    async def _look(self) -> Mapping[str, str] | None:
        """Return the attributes of the queue, or None if there is no queue."""
        try:
            if not self._url:
                self._url = (await self._client.call("get_queue_url", QueueName=self._name))["QueueUrl"]
            answer = await self._client.call("get_queue_attributes", QueueUrl=self._url, AttributeNames=["All"])
        except Refused as refused:
            if refused.code in _MISSING:
                return None
            raise
        attributes: Mapping[str, str] = answer["Attributes"]
        return attributes

    async def _make(self) -> str:
        """Make the queue, which another node may have made already; return the problem if it cannot be found then."""
        try:
            await self._client.call("create_queue", QueueName=self._name, Attributes=self._attributes)
        except DriverError as error:
            return str(error)
        return "it is not where its URL says"

    async def _ask(self, call: str, **arguments: Any) -> Any:
        try:
            return await self._client.call(call, QueueUrl=self._url, **arguments)
        except Refused as refused:
            if refused.code not in _MISSING:
                raise
        # Another program has deleted the queue, with its messages. New messages still need a place.
        _log.error("webhook queue: its queue in SQS is gone and is made again", queue=self._name)
        await self.find()
        return await self._client.call(call, QueueUrl=self._url, **arguments)


def _reason(failure: Mapping[str, Any]) -> str:
    return f"{failure.get('Code', '')} {failure.get('Message', '')}".strip()
