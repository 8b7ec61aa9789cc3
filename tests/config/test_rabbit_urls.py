"""The URLs of RabbitMQ servers: parameters of other clients, and what an error says."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.bus.rabbitmq.options import heartbeat, parse_servers
from sockudo.config.sections.rabbitmq import RabbitAdapterSettings

from .conftest import Load, Problems, document_with

URL = "adapter.rabbitmq.url"


def test_parameters_of_other_clients_are_taken(load_document: Load) -> None:
    url = "amqp://u:p@h:5672/v?heartbeat=30&connection_timeout=10&channel_max=5&frame_max=131072"
    loaded = load_document(document_with(URL, url) | {"debug": True})

    options = loaded.settings.adapter.rabbitmq
    assert (heartbeat(options), options.silence_timeout) == (30, 30)
    assert [str(server) for server in parse_servers(options)] == ["amqp://h:5672"]
    assert [one for one in loaded.warnings if "rabbitmq" in one] == [
        "adapter.rabbitmq.url: connection_timeout, channel_max, frame_max has no effect; "
        "see the settings of adapter.rabbitmq"
    ]


@pytest.mark.parametrize(
    ("url", "seconds"),
    [
        ("amqp://h", 7),
        ("amqp://h?heartbeat=0", 7),
        ("amqp://h?heartbeat=12, amqp://i?heartbeat=12", 12),
        ("amqp://h, amqp://i?heartbeat=12", 12),
    ],
)
def test_the_heartbeat_of_the_url_is_asked_for(url: str, seconds: int, load_document: Load) -> None:
    document = document_with(URL, url)
    document["adapter"]["rabbitmq"]["request_timeout_ms"] = 7000

    assert heartbeat(load_document(document).settings.adapter.rabbitmq) == seconds


@pytest.mark.parametrize(("path", "vhost"), [("//", "/"), ("/%2f", "/"), ("/", "/"), ("", "/"), ("/a", "a")])
def test_a_virtual_host_may_be_a_slash(path: str, vhost: str, load_document: Load) -> None:
    url = f"amqp://h{path}"
    load_document(document_with(URL, url))

    assert parse_servers(RabbitAdapterSettings(url=url))[0].vhost == vhost


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://h", "has another scheme than amqp:// or amqps://"),
        ("amqp://h:port", "has a port that is not a number from 1 to 65535"),
        ("amqp://h/a/b", "has a slash in its virtual host: write it as %2f"),
        ("amqp://h?heartbeat=soon", "has a heartbeat that is not a number of seconds"),
        ("amqp://h?heartbeat=1,amqp://i?heartbeat=2", "has more than one heartbeat"),
        ("amqp://", "has no host"),
        ("amqp://u:SECRET@[::1", "has a bracket without its pair"),
        ("amqp://u:SECRET@::1", "has an address of IPv6 without brackets"),
        ("amqp://u:SECRET SECRET@h", "has a blank or a control character"),
        ("amqp://u:p@h,i", "has a comma in its host"),
        ("amqps://h?cacertfile=/ca.pem&verify=verify_peer", "has parameters about TLS or the login"),
        ("amqps://h?verify=verify_none", "has parameters about TLS or the login"),
    ],
)
def test_an_error_names_the_part_that_is_wrong(url: str, why: str, problems_of: Problems) -> None:
    (problem,) = problems_of(document_with(URL, url))

    assert problem.startswith(f"{URL}: expected a URL such as amqp://user:password@host:5672/vhost")
    assert f"got a string: it {why}" in problem
    assert "SECRET" not in problem


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("cache.redis.url_override", "tls://:SECRET@h:6379", "has another scheme than redis:// or rediss://"),
        ("cache.redis.url_override", "h:6379", "has no scheme: begin with redis://"),
        ("cache.redis.url_override", "redis://h:x", "has a port that is not a number"),
        ("cache.redis.url_override", "redis://h/first", "has a path, a database or parameters that are not expected"),
        ("adapter.nats.servers", ["http://h"], "has another scheme than nats:// or tls://"),
        ("adapter.nats.servers", ["nats://u:SECRET@h/x"], "has a path, a database or parameters"),
        ("adapter.kafka.brokers", ["kafka://h"], "has a scheme: write host and port alone"),
        ("adapter.kafka.brokers", ["u:SECRET@h"], "has a login: that is in settings of its own"),
        ("database.scylladb.nodes", ["h:0"], "has a port that is not a number"),
    ],
)
def test_the_addresses_of_other_servers_say_what_is_wrong(
    path: str, value: Any, why: str, problems_of: Problems
) -> None:
    (problem,) = problems_of(document_with(path, value))

    assert f"it {why}" in problem
    assert "SECRET" not in problem
