"""Drivers by name. They are imported when they are chosen, so that an extra that is not installed is not missed."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from sockudo.errors import MissingExtraError

ADAPTERS: Final = {
    "redis": "sockudo.cluster.redis:RedisAdapter",
    "redis-cluster": "sockudo.cluster.redis_cluster:RedisClusterAdapter",
    "nats": "sockudo.cluster.nats:NatsAdapter",
    "rabbitmq": "sockudo.cluster.rabbitmq:RabbitAdapter",
    "kafka": "sockudo.cluster.kafka:KafkaAdapter",
}

# Driver -> the extra that brings what it needs.
_EXTRAS: Final = {"redis": "redis", "redis-cluster": "redis", "nats": "nats", "rabbitmq": "rabbitmq", "kafka": "kafka"}


def adapter_class(driver: str) -> Any:
    """Return the class of an adapter; its constructor takes the options of its driver.

    Raises:
        MissingExtraError: what the driver needs is not installed.
    """
    module, _, name = ADAPTERS[driver].partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as missing:
        extra = _EXTRAS[driver]
        library = (missing.name or "").partition(".")[0]
        raise MissingExtraError(f"adapter.driver {driver} needs {library}: pip install 'sockudo[{extra}]'") from missing
