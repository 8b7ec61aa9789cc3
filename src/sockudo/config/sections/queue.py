"""`queue`: the queue of webhooks that wait for their delivery."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from sockudo.config.kinds.addresses import OptionalRedisUrl, RedisNodeList
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Check, Flag, NullAsEmpty, OneOf, OptionalWords, Positive, Whole, Words
from sockudo.config.kinds.web_values import WebUrl

_CONCURRENCY: Final = "Webhooks to deliver at once."
# The valid names of a group, without the part of the endpoint.
_GROUP: Final = re.compile("[!-~]{1,90}")
_NULL_PREFIX: Final = "Beginning of the keys; null takes database.redis.key_prefix and `queue:`."


@dataclass(frozen=True, slots=True)
class GroupPrefix(Check):
    """The beginning of the names of message groups."""

    @property
    def expected(self) -> str:
        return "1 to 90 printable ASCII characters without spaces, or null"

    @property
    def type_name(self) -> str:
        return "string or null"

    def check(self, value: Any) -> str | None:
        if value is not None and not (isinstance(value, str) and _GROUP.fullmatch(value)):
            raise self.refuse_unquoted()
        return value


class RedisQueueSettings(Section):
    """The queue in a Redis (driver `redis`)."""

    concurrency: Annotated[Positive, env("QUEUE_REDIS_CONCURRENCY")] = Field(default=5, description=_CONCURRENCY)
    prefix: Annotated[OptionalWords, env("QUEUE_REDIS_PREFIX")] = Field(
        default="sockudo_queue:", description=_NULL_PREFIX
    )
    # An address may hold a password.
    url_override: Annotated[OptionalRedisUrl, env("REDIS_URL", "QUEUE_REDIS_URL")] = Field(
        default=None, repr=False, description="`redis://` or `rediss://` (TLS); null takes database.redis."
    )
    cluster_mode: Flag = Field(default=False, description="Use the Redis Cluster of queue.redis_cluster instead.")


class RedisClusterQueueSettings(Section):
    """The queue in a Redis Cluster (driver `redis-cluster`)."""

    concurrency: Annotated[Positive, env("REDIS_CLUSTER_QUEUE_CONCURRENCY")] = Field(
        default=5, description=_CONCURRENCY
    )
    prefix: Annotated[OptionalWords, env("REDIS_CLUSTER_QUEUE_PREFIX")] = Field(
        default="sockudo_queue:", description=_NULL_PREFIX
    )
    nodes: Annotated[RedisNodeList, NullAsEmpty(), env("REDIS_CLUSTER_NODES")] = Field(
        default=(), repr=False, description="Addresses of some nodes; none takes database.redis.cluster_nodes."
    )
    request_timeout_ms: Positive = Field(default=5000, description="How long an answer may take (milliseconds).")


class SqsQueueSettings(Section):
    """The queue in Amazon SQS (driver `sqs`). The AWS libraries find the credentials."""

    region: Annotated[Words, env("QUEUE_SQS_REGION", "SQS_REGION", "AWS_REGION")] = Field(
        default="us-east-1", description="AWS region."
    )
    queue_url_prefix: Annotated[str | None, WebUrl(), env("QUEUE_SQS_QUEUE_URL_PREFIX", "SQS_QUEUE_URL_PREFIX")] = (
        Field(default=None, repr=False, description="Beginning of the URLs of the queues; null asks SQS for the URLs.")
    )
    visibility_timeout: Annotated[
        int, Whole(1, 43200), env("QUEUE_SQS_VISIBILITY_TIMEOUT", "SQS_VISIBILITY_TIMEOUT")
    ] = Field(
        default=30,
        description="How long SQS hides the webhooks of a node that died from other nodes (seconds).",
    )
    endpoint_url: Annotated[str | None, WebUrl(), env("QUEUE_SQS_ENDPOINT_URL", "SQS_ENDPOINT_URL")] = Field(
        default=None, repr=False, description="Endpoint, if it is not AWS."
    )
    max_messages: Annotated[int, Whole(1, 10), env("QUEUE_SQS_MAX_MESSAGES", "SQS_MAX_MESSAGES")] = Field(
        default=10, description="Messages of one fetch."
    )
    wait_time_seconds: Annotated[int, Whole(0, 20), env("QUEUE_SQS_WAIT_TIME_SECONDS", "SQS_WAIT_TIME_SECONDS")] = (
        Field(default=5, description="How long a fetch waits for messages (seconds).")
    )
    concurrency: Annotated[Positive, env("QUEUE_SQS_CONCURRENCY", "SQS_CONCURRENCY")] = Field(
        default=5, description="Fetches that wait at once."
    )
    fifo: Annotated[Flag, env("QUEUE_SQS_FIFO", "SQS_FIFO")] = Field(
        default=False, description="Whether the queue is a FIFO queue; its name then ends in `.fifo`."
    )
    message_group_id: Annotated[
        str | None, GroupPrefix(), env("QUEUE_SQS_MESSAGE_GROUP_ID", "SQS_MESSAGE_GROUP_ID")
    ] = Field(
        default="default", description="Beginning of the message groups of a FIFO queue; each endpoint has its own."
    )


class QueueSettings(Section):
    """The queue of webhooks that wait for their delivery."""

    # The original's default is Redis, without which it does not start. First steps here need no Redis.
    driver: Annotated[
        Literal["memory", "redis", "redis-cluster", "sqs", "none"],
        OneOf(("memory", "redis", "redis-cluster", "sqs", "none")),
        env("QUEUE_DRIVER"),
    ] = Field(
        default="memory",
        description="Which store holds the queue; none delivers without one. The original's default is redis.",
    )
    redis: RedisQueueSettings = Field(default_factory=RedisQueueSettings, description="The queue in a Redis.")
    redis_cluster: RedisClusterQueueSettings = Field(
        default_factory=RedisClusterQueueSettings, description="The queue in a Redis Cluster."
    )
    sqs: SqsQueueSettings = Field(default_factory=SqsQueueSettings, description="The queue in Amazon SQS.")
