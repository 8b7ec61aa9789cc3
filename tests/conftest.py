"""Fixtures that every test may use, and the event loops that tests run in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

from sockudo import log

# A module that others import comes before them, so that pytest can still rewrite its asserts.
pytest_plugins = [
    "tests.support.alone",
    "tests.support.logged_secrets",
    "tests.servers.processes",
    "tests.servers.bus_fixtures",
    "tests.servers.redis_server",
    "tests.servers.redis_sentinel",
    "tests.servers.redis_cluster",
    "tests.servers.nats_server",
    "tests.servers.forge",
    "tests.servers.rabbitmq_server",
    "tests.servers.kafka_server",
    "tests.servers.topologies",
    "tests.servers.mariadb_server",
    "tests.servers.postgres_server",
    "tests.servers.cassandra_server",
    "tests.servers.dynamodb_server",
    "tests.servers.sqs_server",
    "tests.servers.app_databases",
    "tests.servers.redis_places",
]

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
_ASYNCIO: Mapping[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
_UVLOOP: Mapping[str, LoopFactory] = {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Run adapters and TLS in both kinds of loop, because their transports differ; faults of Redis in the usual one."""
    if any(base.__name__ == "AdapterContract" for base in getattr(getattr(item, "cls", None), "__mro__", ())):
        return {**_ASYNCIO, **_UVLOOP}
    if item.path.parts[-3:-1] == ("server", "accepting"):
        return {**_ASYNCIO, **_UVLOOP}
    is_redis = item.path.name.startswith("test_redis") or item.path.parts[-3:-1] == ("bus", "redis")
    return _UVLOOP if is_redis else _ASYNCIO


@pytest.fixture(autouse=True)
def _fresh_log() -> Iterator[None]:
    """Let no test inherit the log set-up of another, with the output that was captured then."""
    log.reset()
    yield
    log.reset()
