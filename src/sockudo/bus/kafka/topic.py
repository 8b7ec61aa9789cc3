"""The one Kafka topic of a bus: found, or made where it is missing, and who leads its partitions."""

from __future__ import annotations

import asyncio
from typing import Final

from sockudo.bus.broker.attachment import RefusedError
from sockudo.bus.kafka.connection import KafkaConnection
from sockudo.bus.kafka.options import KafkaOptions
from sockudo.bus.kafka.wire import (
    CREATE_TOPICS,
    METADATA,
    MOMENTARY,
    NO_ERROR,
    NO_LEADER,
    TOPIC_EXISTS,
    Layout,
    ask_create,
    ask_metadata,
    error_name,
    read_create,
    read_metadata,
)

# A topic that was made a moment ago is known to its brokers one after another.
ASKED_AGAIN_AFTER: Final = 0.05


async def fetch_layout(connection: KafkaConnection, options: KafkaOptions) -> Layout:
    """Return where the topic is now.

    Raises:
        ConnectionResetError: the connection is gone.
    """
    return await connection.call(METADATA, ask_metadata(options.prefix), read_metadata)


async def settle_layout(connection: KafkaConnection, options: KafkaOptions) -> Layout:
    """Return where the topic is once every partition of it has a leader, however long that takes.

    Raises:
        RefusedError: the broker tells us nothing of it.
        ConnectionResetError: the connection is gone.
    """
    while True:
        layout = await fetch_layout(connection, options)
        if layout.error not in (NO_ERROR, *MOMENTARY):
            raise RefusedError(f"topic {options.prefix}: {error_name(layout.error)}", "adapter.kafka.prefix")
        if layout.error == NO_ERROR and layout.leaders and NO_LEADER not in layout.leaders:
            return layout
        await asyncio.sleep(ASKED_AGAIN_AFTER)


async def make_topic(connection: KafkaConnection, options: KafkaOptions) -> None:
    """Make the topic, on a connection to the controller.

    Raises:
        RefusedError: we may not, or it cannot be made like that.
        ConnectionResetError: the connection is gone.
    """
    milliseconds = str(options.retention_ms)
    settings = {
        "cleanup.policy": "delete",
        "retention.ms": milliseconds,
        # Only segments that are not written to any more are deleted.
        "segment.ms": milliseconds,
        # By the clock of the brokers, so that a node with a wrong one has nothing deleted too early or too late.
        "message.timestamp.type": "LogAppendTime",
    }
    replicas = -1 if options.replication_factor is None else options.replication_factor
    body = ask_create(options.prefix, options.partitions, replicas, settings, options.connection_timeout_ms / 1000)
    problem, text = await connection.call(CREATE_TOPICS, body, read_create)
    if problem not in (NO_ERROR, TOPIC_EXISTS):
        said = f"{error_name(problem)} {text}".strip()
        raise RefusedError(f"topic {options.prefix} cannot be made: {said}", "adapter.kafka.prefix")
