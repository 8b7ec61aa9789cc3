"""What the queue in SQS needs to know. Values only, so that settings can be turned into them without the extra."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sockudo.queues.sqs.records import MAX_JOB_BYTES


@dataclass(frozen=True, slots=True)
class SqsQueueOptions:
    """A queue in Amazon SQS. Times are in seconds; the credentials are those that the AWS libraries find."""

    region: str = "us-east-1"
    # What the URLs of the queues begin with; SQS is asked for them otherwise. An address may hold a password.
    queue_url_prefix: str | None = field(default=None, repr=False)
    endpoint_url: str | None = field(default=None, repr=False)
    # How long SQS waits for a sign of life of who handles a message.
    visibility_timeout: int = 30
    max_messages: int = 10
    wait_time: int = 5
    concurrency: int = 5
    fifo: bool = False
    group_prefix: str = "default"
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
        if self.endpoint_url is None:
            return f"sqs in {self.region}"
        return f"sqs at {urlsplit(self.endpoint_url).netloc.rpartition('@')[2]}"

    @property
    def name(self) -> str:
        """What the queue of the jobs is called."""
        return "webhooks.fifo" if self.fifo else "webhooks"

    @property
    def failed_name(self) -> str:
        """What the queue of the failed jobs is called."""
        return "webhooks-failed.fifo" if self.fifo else "webhooks-failed"
