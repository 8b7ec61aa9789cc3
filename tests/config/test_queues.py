"""The queue that settings ask for: where it is, what its keys begin with, and what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.assembly.drivers import QUEUES, queue_class
from sockudo.assembly.queue import queue_from_settings
from sockudo.config.model import Settings
from sockudo.config.sections.queue import SqsQueueSettings
from sockudo.errors import ConfigError
from sockudo.queues.memory import MemoryQueue
from sockudo.queues.redis.cluster import RedisClusterQueue
from sockudo.queues.redis.queue import RedisQueue
from sockudo.queues.sqs.options import SqsQueueOptions
from sockudo.queues.sqs.queue import SqsQueue
from sockudo.redis_client.options import RedisNodes, RedisTarget, Sentinels
from tests.fakes.clock import FakeClock


def options_of(monkeypatch: pytest.MonkeyPatch, queue: dict[str, Any], **database: Any) -> tuple[str, Any]:
    """Return the driver that is made of some settings, and what it is told."""
    found: list[tuple[str, Any]] = []

    def note(driver: str) -> Any:
        return lambda _, options: found.append((driver, options))

    monkeypatch.setattr("sockudo.assembly.queue.queue_class", note)
    queue_from_settings(Settings.model_validate({"queue": queue, "database": {"redis": database}}), FakeClock())
    return found[0]


@pytest.mark.parametrize("driver", ["memory", "none"])
def test_a_queue_without_a_store_is_in_this_process(driver: str) -> None:
    queue = queue_from_settings(Settings.model_validate({"queue": {"driver": driver}}), FakeClock())
    assert isinstance(queue, MemoryQueue)


def test_every_queue_that_can_be_chosen_has_a_class() -> None:
    assert {driver: queue_class(driver) for driver in QUEUES} == {
        "redis": RedisQueue,
        "redis-cluster": RedisClusterQueue,
        "sqs": SqsQueue,
    }


def test_a_queue_without_a_redis_uses_that_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    sentinels = [{"host": "s", "port": 1}]
    driver, options = options_of(
        monkeypatch, {"driver": "redis"}, host="r", port=1, db=2, username="u", password="p", sentinels=sentinels
    )
    assert driver == "redis"
    target = options.place
    assert isinstance(target, RedisTarget)
    assert (target.url, target.db, target.username, target.password) == ("redis://r:1", 2, "u", "p")
    assert target.sentinels == Sentinels((("s", 1),), "mymaster")
    assert target.setting == "queue.redis.url_override or database.redis"
    assert (options.prefix, options.section.concurrency) == ("sockudo_queue:", 5)


def test_a_queue_may_have_its_own_redis_and_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"url_override": "rediss://q:2", "prefix": "mine:", "concurrency": 9}
    _, options = options_of(monkeypatch, {"driver": "redis", "redis": own}, sentinels=[{"host": "s"}])
    assert isinstance(options.place, RedisTarget)
    assert (options.place.url, options.place.sentinels) == ("rediss://q:2", None)
    assert (options.prefix, options.section.concurrency) == ("mine:", 9)


@pytest.mark.parametrize(
    "queue", [{"driver": "redis-cluster"}, {"driver": "redis", "redis": {"cluster_mode": True}}], ids=["driver", "mode"]
)
def test_a_cluster_without_nodes_takes_those_of_the_database_section(
    monkeypatch: pytest.MonkeyPatch, queue: dict[str, Any]
) -> None:
    section = {"nodes": ["a:1"], "request_timeout_ms": 700, "concurrency": 2}
    nodes = [{"host": "b", "port": 2}]
    driver, options = options_of(
        monkeypatch, queue | {"redis_cluster": section}, cluster_nodes=nodes, username="u", password="p"
    )
    assert driver == "redis-cluster"
    assert isinstance(options.place, RedisNodes)
    assert (options.place.urls, options.place.username, options.place.password) == (("redis://a:1",), "u", "p")
    assert (options.timing.answer_timeout, options.section.concurrency) == (0.7, 2)
    _, options = options_of(monkeypatch, queue, cluster_nodes=nodes)
    assert isinstance(options.place, RedisNodes)
    assert options.place.urls == ("redis://b:2",)


def test_a_null_prefix_is_made_of_the_database_sections(monkeypatch: pytest.MonkeyPatch) -> None:
    for queue in ({"driver": "redis", "redis": {"prefix": None}},):
        assert options_of(monkeypatch, queue, key_prefix="p:")[1].prefix == "p:queue:"


def test_a_cluster_without_nodes_is_a_problem() -> None:
    with pytest.raises(ConfigError, match=r"queue\.redis_cluster\.nodes or database\.redis\.cluster_nodes"):
        queue_from_settings(Settings.model_validate({"queue": {"driver": "redis-cluster"}}), FakeClock())


def test_a_queue_in_sqs_is_told_what_its_section_says(monkeypatch: pytest.MonkeyPatch) -> None:
    section = {
        "region": "eu-west-1",
        "queue_url_prefix": "https://user:secret@q/1/",
        "endpoint_url": "https://user:secret@q:1",
        "visibility_timeout": 9,
        "max_messages": 3,
        "wait_time_seconds": 0,
        "concurrency": 2,
        "fifo": True,
        "message_group_id": "hooks",
    }
    driver, options = options_of(monkeypatch, {"driver": "sqs", "sqs": section})
    assert driver == "sqs"
    assert options == SqsQueueOptions(SqsQueueSettings.model_validate(section))
    assert options.section.model_dump() == section
    assert (options.name, options.failed_name, options.place) == ("webhooks.fifo", "webhooks-failed.fifo", "sqs at q:1")
    assert "secret" not in repr(options)


def test_an_sqs_queue_has_the_originals_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    _, options = options_of(monkeypatch, {"driver": "sqs", "sqs": {"message_group_id": None}})
    told = options.section
    assert (told.visibility_timeout, told.max_messages, told.wait_time_seconds, told.concurrency) == (30, 10, 5, 5)
    assert (told.region, told.queue_url_prefix, told.endpoint_url, told.fifo) == ("us-east-1", None, None, False)
    assert told.message_group_id is None
    assert (options.name, options.failed_name) == ("webhooks", "webhooks-failed")
    assert options.place == "sqs in us-east-1"
