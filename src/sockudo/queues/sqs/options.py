"""The options of the queue in SQS. Values only: the libraries of AWS are an extra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from sockudo.queues.sqs.records import MAX_JOB_BYTES


class SqsSection(Protocol):
    """The settings of a queue in Amazon SQS, which the section of the configuration fulfils.

    Attributes:
        queue_url_prefix: the beginning of the URLs of the queues; without it the driver asks SQS for them.
        visibility_timeout: how long SQS hides a message before its process must renew that (seconds).
        message_group_id: the beginning of the names of message groups.
    """

    region: str
    queue_url_prefix: str | None
    endpoint_url: str | None
    visibility_timeout: int
    max_messages: int
    wait_time_seconds: int
    concurrency: int
    fifo: bool
    message_group_id: str | None


@dataclass(frozen=True, slots=True)
class SqsQueueOptions:
    """A queue in Amazon SQS. Times are in seconds; the credentials are those that the AWS libraries find."""

    section: SqsSection
    # The pause after a fetch without a wait that found nothing.
    idle: float = 1.0
    # How long an answer may take, without the wait of a fetch.
    timeout: float = 5.0
    # The most pushes that wait for SQS; the oldest make room.
    max_waiting: int = 100_000
    max_waiting_bytes: int = 64 * 1024 * 1024
    max_job_bytes: int = MAX_JOB_BYTES

    @property
    def place(self) -> str:
        """Where the queue is, for people."""
        section = self.section
        if section.endpoint_url is None:
            return f"sqs in {section.region}"
        # An address may hold a password.
        return f"sqs at {urlsplit(section.endpoint_url).netloc.rpartition('@')[2]}"

    @property
    def name(self) -> str:
        """The name of the queue of jobs."""
        return "webhooks.fifo" if self.section.fifo else "webhooks"

    @property
    def failed_name(self) -> str:
        """The name of the queue of failed jobs."""
        return "webhooks-failed.fifo" if self.section.fifo else "webhooks-failed"
