"""What the queue in SQS needs to know. Values only: the libraries of AWS are an extra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from sockudo.queues.sqs.records import MAX_JOB_BYTES


class SqsSection(Protocol):
    """The settings of a queue in Amazon SQS, which the section of the configuration fulfils.

    Attributes:
        queue_url_prefix: what the URLs of the queues begin with; SQS is asked for them otherwise.
        visibility_timeout: how long SQS waits for a sign of life of who handles a message (seconds).
        message_group_id: what the names of message groups begin with.
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
    # The pause after a fetch that found nothing and was not to wait.
    idle: float = 1.0
    # How long an answer may take, the waiting apart.
    timeout: float = 5.0
    # Pushes that wait for SQS; the oldest make room.
    max_waiting: int = 100_000
    max_waiting_bytes: int = 64 * 1024 * 1024
    max_job_bytes: int = MAX_JOB_BYTES

    @property
    def place(self) -> str:
        """Where it is, for people."""
        section = self.section
        if section.endpoint_url is None:
            return f"sqs in {section.region}"
        # An address may hold a password.
        return f"sqs at {urlsplit(section.endpoint_url).netloc.rpartition('@')[2]}"

    @property
    def name(self) -> str:
        """What the queue of the jobs is called."""
        return "webhooks.fifo" if self.section.fifo else "webhooks"

    @property
    def failed_name(self) -> str:
        """What the queue of the failed jobs is called."""
        return "webhooks-failed.fifo" if self.section.fifo else "webhooks-failed"
