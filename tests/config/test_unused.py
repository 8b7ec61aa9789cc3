"""Wrong values that nothing uses: warnings, and no reason not to start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.clients.client import PusherClient
from tests.servers.server import server_process

from .conftest import CHOICES, Load, Problems, document_with

APPS: dict[str, Any] = {"app_manager": {"apps": [{"id": "a", "key": "k", "secret": "s"}]}}


def test_an_unused_variable_that_is_wrong_is_one_warning(load_document: Load) -> None:
    loaded = load_document(APPS, {"REDIS_URL": "tls://:SECRET@h:6379"})

    (warning,) = loaded.warnings
    assert warning.startswith("REDIS_URL (adapter.redis.redis_pub_options.url): expected a URL such as redis://")
    assert warning.endswith("; nothing uses it")
    assert "SECRET" not in warning
    assert loaded.settings.cache.redis.url_override is None
    assert loaded.sources == {}


@pytest.mark.parametrize("driver", ["adapter", "cache", "queue", "rate_limiter"])
def test_a_problem_of_a_variable_names_the_part_using_it(driver: str, problems_of: Problems) -> None:
    document = APPS | {
        driver: {"driver": "redis", "enabled": True} if driver == "rate_limiter" else {"driver": "redis"}
    }

    problems = problems_of(document, {"REDIS_URL": "tls://h"})

    assert problems
    assert all(problem.startswith(f"REDIS_URL ({driver}.redis.") for problem in problems)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("adapter.redis.requests_timeout", 0),
        ("adapter.cluster.nodes", ["http://a"]),
        ("adapter.nats.servers", ["http://a"]),
        ("adapter.rabbitmq.url", "http://a"),
        ("adapter.rabbitmq", 5),
        ("adapter.kafka.security_protocol", "tls"),
        ("adapter.kafka.tls_caa", "x"),
        ("cache.redis", []),
        ("queue.redis.concurrency", 0),
        ("queue.redis_cluster.nodes", [5]),
        ("queue.sqs.visibility_timeout", -1),
        ("rate_limiter.redis.url_override", "tls://h"),
        ("database.redis.port", 0),
        ("database.redis.sentinels", [{"port": "x"}]),
        ("database.mysql.host", "h:1"),
        ("database.postgres.port", "x"),
        ("database.dynamodb.region", ""),
        ("database.scylladb.nodes", ["h:0", "i:0"]),
        ("database_pooling.min", "x"),
    ],
)
def test_what_no_driver_reads_is_at_most_a_warning(path: str, value: Any, load_document: Load) -> None:
    document = document_with(path, value)
    for choice in CHOICES.values():
        for part in choice:
            document.get(part, {}).pop("driver", None)
    loaded = load_document(document | APPS, {})

    assert loaded.warnings
    assert all(warning.startswith(path) for warning in loaded.warnings)


def test_what_is_wrong_elsewhere_is_still_a_problem(problems_of: Problems) -> None:
    assert problems_of(APPS | {"port": "x"}, {"REDIS_URL": "tls://h"}) == [
        'port: expected an integer between 0 and 65535, got "x"'
    ]


def test_a_driver_that_is_wrong_may_use_everything(problems_of: Problems) -> None:
    assert len(problems_of(APPS | {"cache": {"driver": "rediss", "redis": {"url_override": "tls://h"}}})) == 2


async def test_a_server_starts_with_an_address_that_nothing_uses(tmp_path: Path) -> None:
    with server_process(tmp_path, environ={"REDIS_URL": "tls://h:6379"}) as server:
        async with PusherClient(server.port) as client:
            await client.subscribe("news")
