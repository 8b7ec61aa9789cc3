"""Addresses of servers: what is one, and how it is shown without the login in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import parse_url

from sockudo.assembly.apps import store_options
from sockudo.bus.kafka.options import parse_brokers
from sockudo.bus.rabbitmq.options import parse_servers
from sockudo.config.kinds.addresses import NatsAddress, RedisAddress, without_login
from sockudo.config.kinds.rabbit_urls import RabbitUrl
from sockudo.config.sections.kafka import KafkaAdapterSettings
from sockudo.config.sections.rabbitmq import RabbitAdapterSettings

from .conftest import Load, Problems, choosing, document_with, merged

REDIS_URLS = [
    "adapter.redis.redis_pub_options.url",
    "adapter.redis.redis_sub_options.url",
    "cache.redis.url_override",
    "queue.redis.url_override",
    "rate_limiter.redis.url_override",
]
REDIS_NODES = ["adapter.cluster.nodes", "queue.redis_cluster.nodes"]


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://h",
        "redis://h:6379/0",
        "redis://h:6379/",
        "rediss://user:p%40ss@[::1]:6380/15?ssl_cert_reqs=none",
        "redis://:pass@h",
        "redis://h?db=3",
        "unix:///run/redis.sock?db=1",
        "unix://user:pass@/run/redis.sock",
    ],
)
@pytest.mark.parametrize("path", REDIS_URLS)
def test_a_redis_url_is_read(path: str, url: str, load_document: Load) -> None:
    value: Any = load_document(document_with(path, url)).settings
    for name in path.split("."):
        value = getattr(value, name)

    assert value == url
    parse_url(url)  # the driver takes it too


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:6379",
        "http://h",
        "REDIS://h",
        "redis:/h",
        "redis://h:port",
        "redis://h:0",
        "redis://h:65536",
        "redis://h/first",
        "redis://h/0/1",
        "redis://h?db=x",
        "redis://[::1",
        "redis://:TOPSECRET/x@h:6379",
        "redis://:TOP SECRET@h",
        "redis://h#0",
        "unix://",
        "redis://h\n",
        5,
    ],
)
@pytest.mark.parametrize("path", REDIS_URLS)
def test_a_malformed_redis_url_is_a_problem_without_the_url(path: str, url: Any, problems_of: Problems) -> None:
    (problem,) = problems_of(document_with(path, url))

    assert problem.startswith(f"{path}: expected a URL such as redis://user:password@host:6379/0 or null, got a")
    assert "SECRET" not in problem


def test_a_malformed_redis_url_is_a_problem_everywhere(problems_of: Problems) -> None:
    problems = problems_of(merged(*map(choosing, ["adapter.redis.", "cache.redis."])), {"REDIS_URL": "localhost:6379"})

    assert {problem.partition(":")[0] for problem in problems} == {f"REDIS_URL ({path})" for path in REDIS_URLS[:3]}


@pytest.mark.parametrize("node", ["h:1", "h", "10.0.0.1:6379", "[::1]:1", "redis://h:1", "rediss://u:p@h"])
@pytest.mark.parametrize("path", REDIS_NODES)
def test_a_redis_cluster_node_needs_no_scheme(path: str, node: str, load_document: Load) -> None:
    load_document(document_with(path, [node]))


@pytest.mark.parametrize("node", ["", ":1", "h:x", "http://h", "unix:///s", "h:1/x", "redis://", "::1", None])
@pytest.mark.parametrize("path", REDIS_NODES)
def test_a_malformed_node_is_a_problem_with_its_place(path: str, node: Any, problems_of: Problems) -> None:
    (problem,) = problems_of(document_with(path, ["h:1", node]))

    assert problem.startswith(f"{path}[1]: expected the address of a node")


@pytest.mark.parametrize("server", ["h", "h:4222", "nats://h", "tls://u:p@h:4222/", "nats://token@h"])
def test_a_nats_server_may_do_without_a_scheme(server: str, load_document: Load) -> None:
    load_document(document_with("adapter.nats.servers", [server]))


@pytest.mark.parametrize("server", ["", "http://h", "nats://", "h:x", "nats://h/x", "nats://h?x", None])
def test_a_malformed_nats_server_is_a_problem(server: Any, problems_of: Problems) -> None:
    (problem,) = problems_of(document_with("adapter.nats.servers", [server]))

    assert problem.startswith("adapter.nats.servers[0]: expected the address of a server")


@pytest.mark.parametrize(
    "url",
    ["amqp://h", "h:1", "amqps://u:p%2F@[::1]:5671/a%2fb", "amqp://a/, amqp://u:p@b:1/v", "amqp://h/%2F", "amqp://h//"],
)
def test_rabbitmq_urls_are_read(url: str, load_document: Load) -> None:
    load_document(document_with("adapter.rabbitmq.url", url))
    assert parse_servers(RabbitAdapterSettings(url=url))  # the driver takes them too


@pytest.mark.parametrize(
    "url",
    ["", "amqp://", "http://h", "amqp://h:x", "amqp://h/a/b", "amqp://h?heartbeat=x", "amqp://h,", "amqp://:SECRET/@h"],
)
def test_a_malformed_rabbitmq_url_is_a_problem(url: str, problems_of: Problems) -> None:
    (problem,) = problems_of(document_with("adapter.rabbitmq.url", url))

    assert problem.startswith("adapter.rabbitmq.url: expected a URL such as amqp://user:password@host:5672/vhost")
    assert "SECRET" not in problem


def test_the_logins_of_all_rabbitmq_urls_are_hidden() -> None:
    assert RabbitUrl().shown("amqp://u:s@a/v, amqps://u:t@b") == "amqp://u:***@a/v, amqps://u:***@b"


@pytest.mark.parametrize("broker", ["h", "h:9092", "10.0.0.1:1", "[::1]:9092"])
def test_a_kafka_broker_is_a_host_with_an_optional_port(broker: str, load_document: Load) -> None:
    load_document(document_with("adapter.kafka.brokers", [broker]))
    assert parse_brokers(KafkaAdapterSettings(brokers=(broker,)))  # the driver takes it too


@pytest.mark.parametrize("broker", ["", "kafka://h", "h:x", "h/x", "u:SECRET@h:1", "h:0", None])
def test_a_malformed_broker_of_kafka_is_a_problem(broker: Any, problems_of: Problems) -> None:
    (problem,) = problems_of(document_with("adapter.kafka.brokers", [broker]))

    assert problem.startswith("adapter.kafka.brokers[0]: expected the address of a broker such as host:9092")
    assert "SECRET" not in problem


@pytest.mark.parametrize("node", ["h", "h:9042", "10.0.0.1:1", "::1", "[::1]", "[::1]:9042"])
def test_a_scylladb_node_is_a_host_with_an_optional_port(node: str, load_document: Load) -> None:
    loaded = load_document({"database": {"scylladb": {"nodes": [node]}}, "app_manager": {"driver": "scylladb"}})
    assert store_options(loaded.settings)  # the driver takes it too


@pytest.mark.parametrize("node", ["", "cql://h", "h:x", "h/x", "u:SECRET@h:1", "h:0", "h:65536", "h ", 5])
def test_a_malformed_scylladb_node_is_a_problem_without_its_text(node: Any, problems_of: Problems) -> None:
    (problem,) = problems_of(document_with("database.scylladb.nodes", [node]))

    assert problem.startswith("database.scylladb.nodes[0]: expected the address of a node such as host:9042")
    assert "SECRET" not in problem


@pytest.mark.parametrize("path", ["database.redis.sentinels", "adapter.redis.redis_pub_options.sentinel.hosts"])
def test_a_sentinel_with_a_login_is_a_problem_without_it(path: str, problems_of: Problems) -> None:
    host = "u:SECRET@h:1"
    (problem,) = problems_of(document_with(path, [host if path.endswith("hosts") else {"host": host}]))

    assert problem.startswith(f"{path}[0]")
    assert "expected the name or address of a host, without a scheme or a login, got a string" in problem
    assert "SECRET" not in problem


HOSTS = ["host", "metrics.host", "database.mysql.host", "database.postgres.host"]


@pytest.mark.parametrize("host", ["h", "db.example", "10.0.0.1", "::1"])
@pytest.mark.parametrize("path", HOSTS)
def test_a_host_is_a_name_or_an_address(path: str, host: str, load_document: Load) -> None:
    load_document(document_with(path, host))


@pytest.mark.parametrize("host", ["", " ", "mysql://u:SECRET@h", "u:SECRET@h", "http://h", 5])
@pytest.mark.parametrize("path", HOSTS)
def test_a_host_with_a_login_is_a_problem_without_it(path: str, host: Any, problems_of: Problems) -> None:
    (problem,) = problems_of(document_with(path, host))

    assert problem.startswith(f"{path}: expected the name or address of a host, without a scheme or a login, got a")
    assert "SECRET" not in problem


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example"])
@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("adapter.redis.redis_pub_options.url", "redis://{}"),
        ("adapter.nats.servers", ["nats://{}:4222"]),
        ("adapter.rabbitmq.url", "amqp://{}"),
        ("adapter.kafka.brokers", ["{}:9092"]),
        ("database.redis.host", "{}"),
        ("database.scylladb.nodes", ["{}"]),
    ],
)
def test_a_name_that_no_host_can_have_is_a_problem(
    path: str, form: str | list[str], host: str, problems_of: Problems
) -> None:
    value = form.format(host) if isinstance(form, str) else [one.format(host) for one in form]

    (problem,) = problems_of(document_with(path, value))

    assert problem.startswith(path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://ann:secret@h:6379/0", "redis://ann:***@h:6379/0"),
        ("redis://:secret@h", "redis://:***@h"),
        ("redis://secret@h", "redis://***@h"),
        ("redis://secret:@h", "redis://***@h"),
        ("redis://ann:se@cret@h", "redis://ann:***@h"),
        ("rediss://h/1?ssl_password=secret", "rediss://h/1?***"),
        ("unix://ann:secret@/run/redis.sock", "unix://ann:***@/run/redis.sock"),
        ("h:6379", "h:6379"),
        ("ann:secret@h:6379", "ann:***@h:6379"),
        ("https://h/#secret", "https://h/#***"),
    ],
)
def test_an_address_is_shown_without_its_login_and_its_parameters(text: str, shown: str) -> None:
    assert without_login(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://h/hooks/secret", "https://h/***"),
        ("https://ann:secret@h:1/secret?secret#secret", "https://ann:***@h:1/***?***"),
        ("https://h/", "https://h/"),
        ("https://h", "https://h"),
    ],
)
def test_a_path_that_may_be_secret_is_not_shown(text: str, shown: str) -> None:
    assert without_login(text, path=False) == shown


SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=5, max_size=20)


@given(
    SECRETS.map(lambda text: f"~{text}~"), st.sampled_from(["redis://ann:{}@h:1/2", "redis://{}@h", "redis://h?x={}"])
)
def test_no_secret_of_a_redis_url_is_shown(secret: str, form: str) -> None:
    url = form.format(secret)
    try:
        RedisAddress().check(url)
    except ValueError:
        return
    assert secret not in without_login(url)


@given(SECRETS.map(lambda text: f"~{text}~"), st.sampled_from(["nats://ann:{}@h:1", "tls://{}@h", "{}@h"]))
def test_no_secret_of_a_nats_server_is_shown(secret: str, form: str) -> None:
    address = form.format(secret)
    try:
        NatsAddress().check(address)
    except ValueError:
        return
    assert secret not in without_login(address)
