"""Imports drivers by name when they are chosen, so that a server needs the extras of no other driver."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from sockudo.errors import MissingExtraError

CACHES: Final = {
    "redis": "sockudo.cache.redis:RedisCache",
    "redis-cluster": "sockudo.cache.redis:RedisCache",
}

RATE_LIMITERS: Final = {
    "redis": "sockudo.ratelimit.redis:RedisRateLimiter",
    "redis-cluster": "sockudo.ratelimit.redis:RedisRateLimiter",
}

APP_STORES: Final = {
    "sqlite": "sockudo.apps.database.sql:SqlAppStore",
    "mysql": "sockudo.apps.database.sql:SqlAppStore",
    "pgsql": "sockudo.apps.database.sql:SqlAppStore",
    "dynamodb": "sockudo.apps.database.dynamodb:DynamoDbAppStore",
    "scylladb": "sockudo.apps.database.scylladb:ScyllaDbAppStore",
}

QUEUES: Final = {
    "redis": "sockudo.queues.redis.queue:RedisQueue",
    "redis-cluster": "sockudo.queues.redis.cluster:RedisClusterQueue",
    "sqs": "sockudo.queues.sqs.queue:SqsQueue",
}

LAMBDA: Final = "sockudo.webhooks.delivery.lambda_sender:LambdaInvoker"

# Drivers whose extra is not called like them.
_EXTRAS: Final = {"redis-cluster": "redis", "pgsql": "postgres"}
# What a driver needs besides what its module imports: which of them that is depends on its options.
_NEEDS: Final = {"sqlite": "aiosqlite", "mysql": "asyncmy", "pgsql": "asyncpg"}


def app_store_class(driver: str) -> Any:
    """Return the class of a database of apps; its constructor takes the options of its driver.

    Raises:
        MissingExtraError: what the driver needs is not installed.
    """
    return _load(f"app_manager.driver {driver}", driver, APP_STORES[driver])


def cache_class(driver: str) -> Any:
    """Return the class of a cache in a store; its constructor takes the options of its driver.

    Raises:
        MissingExtraError: what the driver needs is not installed.
    """
    return _load(f"cache.driver {driver}", driver, CACHES[driver])


def rate_limiter_class(driver: str) -> Any:
    """Return the class of a rate limiter in a store; its constructor takes the options of its driver.

    Raises:
        MissingExtraError: what the driver needs is not installed.
    """
    return _load(f"rate_limiter.driver {driver}", driver, RATE_LIMITERS[driver])


def queue_class(driver: str) -> Any:
    """Return the class of a queue in a store; its constructor takes a clock and the options of its driver.

    Raises:
        MissingExtraError: what the driver needs is not installed.
    """
    return _load(f"queue.driver {driver}", driver, QUEUES[driver])


def lambda_class() -> Any:
    """Return the class that invokes AWS Lambda functions; its constructor takes a time-out and `allow_private`.

    Raises:
        MissingExtraError: what it needs is not installed.
    """
    return _load("the lambda of a webhook", "lambda", LAMBDA)


def load_driver(what: str, extra: str, class_path: str) -> Any:
    """Return a class that is named as `module:class`.

    Raises:
        MissingExtraError: its module needs what is not installed; `what` says for which setting, `extra` has it.
    """
    module, _, name = class_path.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as missing:
        library = (missing.name or "").partition(".")[0]
        raise MissingExtraError(f"{what} needs {library}: pip install 'sockudo[{extra}]'") from missing


def _load(what: str, driver: str, class_path: str) -> Any:
    extra = _EXTRAS.get(driver, driver)
    if driver in _NEEDS:
        load_driver(what, extra, f"{_NEEDS[driver]}:__name__")
    return load_driver(what, extra, class_path)
