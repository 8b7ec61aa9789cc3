"""What no table converts: connections to Redis, SQS, TLS."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.config.load import problems_of
from sockudo.migration.soketi.document import from_document

APP = {"id": "1", "key": "k", "secret": "s"}
REDIS = {"host": "r", "port": 7000, "username": "ann", "password": "p", "db": 2}


def convert(**document: Any) -> tuple[dict[str, Any], list[str]]:
    draft = from_document({"appManager.array.apps": [APP], **document})
    problems = [problem for problem in problems_of(draft.document) if "not supported by this version" not in problem]
    assert problems == []
    return draft.document, [str(remark) for remark in draft.remarks]


@pytest.mark.parametrize("name", ["Pub", "Sub"])
def test_an_adapters_connection_is_the_databases_with_its_options(name: str) -> None:
    options = {"db": 5, "password": "q", "family": 4}
    document, remarks = convert(**{"database.redis": REDIS, f"adapter.redis.redis{name}Options": options})

    assert document["adapter"]["redis"] == {
        f"redis_{name.lower()}_options": {"url": "redis://ann@r:7000/5", "password": "q"}
    }
    assert remarks == [
        f"adapter.redis.redis{name}Options.family: has no equal among the options of a connection here",
    ]


def test_a_password_alone_needs_no_address() -> None:
    document, _ = convert(**{"adapter.redis.redisPubOptions": {"password": "q"}})

    assert document["adapter"]["redis"] == {"redis_pub_options": {"password": "q"}}


def test_sentinels_of_a_connection_stay_with_it() -> None:
    sentinels = {"sentinels": [{"host": "a", "port": 1}], "name": "m"}
    document, _ = convert(**{"adapter.redis.redisPubOptions": sentinels})

    assert document["adapter"]["redis"]["redis_pub_options"] == {"sentinel": {"master_name": "m", "hosts": ["a:1"]}}


@pytest.mark.parametrize("part", ["cache", "queue"])
def test_options_of_the_cache_and_the_queue_are_one_url(part: str) -> None:
    document, remarks = convert(
        **{"database.redis": REDIS, f"{part}.redis.redisOptions": {"host": "other", "sentinels": [{"host": "a"}]}}
    )

    assert document[part]["redis"] == {"url_override": "redis://ann:p@other:7000/2"}
    assert remarks == [f"{part}.redis.redisOptions.sentinels: has no equal: sentinels are those of database.redis here"]


@pytest.mark.parametrize("part", ["cache", "queue"])
def test_without_options_of_their_own_they_use_the_database(part: str) -> None:
    document, _ = convert(**{"database.redis": REDIS, f"{part}.driver": "redis"})

    assert "redis" not in document[part]
    assert document["database"]["redis"] == REDIS


def test_tls_of_the_database_appears_in_the_chosen_address() -> None:
    document, remarks = convert(
        **{
            "database.redis": {"host": "r", "password": "p", "tls": {}},
            "adapter.driver": "redis",
            "cache.driver": "redis",
        }
    )

    assert document["adapter"]["redis"]["redis_pub_options"]["url"] == "rediss://r:6379/0"
    assert document["adapter"]["redis"]["redis_sub_options"]["url"] == "rediss://r:6379/0"
    assert document["cache"]["redis"]["url_override"] == "rediss://:p@r:6379/0"
    assert "queue" not in document
    assert remarks == []


def test_tls_of_a_cluster_appears_in_its_nodes_addresses() -> None:
    document, _ = convert(**{"database.redis": {"tls": {}, "clusterNodes": [{"host": "a", "port": 1}, {}]}})

    assert document["database"]["redis"]["cluster_nodes"] == [
        {"host": "rediss://a", "port": 1},
        {"host": "rediss://127.0.0.1"},
    ]


@pytest.mark.parametrize(
    ("key", "value", "remark"),
    [
        ("cache.redis.redisOptions", {"port": "x"}, "is no number"),
        ("queue.redis.redisOptions", [1], "is no object"),
        ("queue.sqs.queueUrl", [1], "is no text"),
        ("queue.sqs.consumerOptions", {"visibilityTimeout": "x"}, "is no number"),
    ],
)
def test_malformed_options_are_remarked_upon(key: str, value: object, remark: str) -> None:
    _, remarks = convert(**{key: value})

    assert [one.startswith(f"{key}: {remark}") for one in remarks] == [True]


@pytest.mark.parametrize("options", ["x", [1], {"port": "x"}, {"host": ["r"]}, {"db": "x", "tls": {}}])
@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("adapter.redis.redisPubOptions", "adapter.redis.redis_pub_options.url"),
        ("adapter.redis.redisSubOptions", "adapter.redis.redis_sub_options.url"),
        ("cache.redis.redisOptions", "cache.redis.url_override"),
        ("queue.redis.redisOptions", "queue.redis.url_override"),
    ],
)
def test_an_unreadable_connection_in_use_is_not_replaced(key: str, url: str, options: object) -> None:
    driver = f"{key.partition('.')[0]}.driver"
    draft = from_document({"appManager.array.apps": [APP], driver: "redis", key: options})

    assert [remark.key for remark in draft.remarks] == [key]
    assert [problem.partition(": ")[0] for problem in problems_of(draft.document)] == [url]


@pytest.mark.parametrize("tls", [{"ca": "PEM"}, "maybe", [1]])
def test_tls_of_the_database_that_cannot_be_read_is_tls(tls: object) -> None:
    document, remarks = convert(**{"database.redis": {"host": "r", "tls": tls}, "adapter.driver": "redis"})

    assert document["adapter"]["redis"]["redis_pub_options"]["url"] == "rediss://r:6379/0"
    assert [remark.partition(": ")[0] for remark in remarks] == ["database.redis.tls"]


def test_tls_of_a_connection_that_cannot_be_read_is_tls() -> None:
    options = {"host": "r", "tls": {"ca": "PEM"}}
    document, (remark,) = convert(**{"adapter.driver": "redis", "adapter.redis.redisPubOptions": options})

    assert document["adapter"]["redis"]["redis_pub_options"]["url"] == "rediss://r:6379/0"
    assert remark.startswith("adapter.redis.redisPubOptions.tls: has certificates in it")


@pytest.mark.parametrize(
    ("url", "count"),
    [("https://sqs.eu-west-1.amazonaws.com/1/webhooks.fifo", 0), ("https://sqs.eu-west-1.amazonaws.com/1/q.fifo", 1)],
)
def test_an_sqs_queue_has_a_name_that_is_fixed_here(url: str, count: int) -> None:
    document, remarks = convert(**{"queue.sqs.queueUrl": url})

    assert document["queue"]["sqs"] == {"queue_url_prefix": "https://sqs.eu-west-1.amazonaws.com/1/", "fifo": True}
    assert len(remarks) == count


def test_consumer_options_of_sqs_are_settings_where_an_equal_exists() -> None:
    options = {"visibilityTimeout": 60, "waitTimeSeconds": 10, "heartbeatInterval": 5}
    document, remarks = convert(**{"queue.sqs.consumerOptions": options})

    assert document["queue"]["sqs"] == {"visibility_timeout": 60, "wait_time_seconds": 10}
    assert remarks == ["queue.sqs.consumerOptions.heartbeatInterval: has no equal"]


def test_a_certificate_switches_tls_on() -> None:
    document, _ = convert(ssl={"certPath": "/c.pem", "keyPath": "/k.pem", "passphrase": "", "caPath": ""})

    assert document["ssl"] == {"cert_path": "/c.pem", "key_path": "/k.pem", "enabled": True}
