"""Rules of single sections: between their values, and what values mean."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sockudo.config.sections.app_manager import AppManagerSettings
from sockudo.config.sections.limits import WebSocketSettings
from sockudo.config.sections.sql_databases import MysqlSettings, PoolingSettings, PostgresSettings, pool_size
from sockudo.config.sections.tls import SslSettings
from sockudo.config.sections.unix_socket import UnixSocketSettings

from .conftest import Load, Problems, document_with


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("postgres", "pgsql"),
        ("PostgreSQL", "pgsql"),
        ("pgsql", "pgsql"),
        ("scylla", "scylladb"),
        ("ScyllaDB", "scylladb"),
        ("mysql", "mysql"),
        ("dynamodb", "dynamodb"),
        ("sqlite", "sqlite"),
    ],
)
def test_a_store_of_apps_has_several_spellings(written: str, kept: str) -> None:
    assert AppManagerSettings.model_validate({"driver": written}).driver == kept


@pytest.mark.parametrize(
    ("server", "pooling", "size"),
    [
        ({}, {}, (2, 10)),
        ({"connection_pool_size": 99}, {}, (2, 10)),
        ({"pool_min": 3, "pool_max": 4}, {}, (3, 4)),
        ({"pool_min": 0}, {"max": 7}, (0, 7)),
        ({}, {"min": 5, "max": 1}, (1, 1)),
        ({"connection_pool_size": 6, "pool_max": 3}, {"enabled": False}, (0, 6)),
    ],
)
def test_the_pool_of_a_database_is_its_own_else_everyones(
    server: dict[str, int], pooling: dict[str, Any], size: tuple[int, int]
) -> None:
    everyones = PoolingSettings.model_validate(pooling)

    assert pool_size(MysqlSettings.model_validate(server), everyones) == size
    assert pool_size(PostgresSettings.model_validate(server), everyones) == size


def test_one_variable_sets_every_pool(load_document: Load) -> None:
    settings = load_document(environ={"DATABASE_CONNECTION_POOL_SIZE": "4"}).settings

    database = settings.database
    assert database.mysql.connection_pool_size == database.postgres.connection_pool_size == 4
    assert settings.database_pooling.max == 4


def test_one_variable_sets_the_redis_of_every_part(load_document: Load) -> None:
    settings = load_document(environ={"REDIS_URL": "redis://a"}).settings

    redis = settings.adapter.redis
    assert redis.redis_pub_options.url == redis.redis_sub_options.url == "redis://a"
    for part in (settings.cache, settings.queue, settings.rate_limiter):
        assert part.redis.url_override == "redis://a"


def test_one_variable_sets_the_nodes_of_every_redis_cluster(load_document: Load) -> None:
    settings = load_document(environ={"REDIS_CLUSTER_NODES": "a:1,b:2"}).settings

    assert settings.adapter.cluster.nodes == settings.queue.redis_cluster.nodes == ("a:1", "b:2")


def test_the_aws_region_applies_where_no_own_region_is_set(load_document: Load) -> None:
    settings = load_document(environ={"AWS_REGION": "a", "QUEUE_SQS_REGION": "b"}).settings

    assert (settings.database.dynamodb.region, settings.queue.sqs.region) == ("a", "b")


@pytest.mark.parametrize(
    ("cleanup", "problem"),
    [
        (
            {"async_enabled": False, "fallback_to_sync": False},
            "cleanup.fallback_to_sync: must be true while async_enabled is false",
        ),
        ({"queue_buffer_size": 24}, "cleanup.queue_buffer_size: must be at least batch_size"),
        ({"batch_size": "50001"}, "cleanup.queue_buffer_size: must be at least batch_size"),
        ({"batch_timeout_ms": 60001}, "cleanup.batch_timeout_ms: expected an integer between 1 and 60000, got 60001"),
        (
            {"queue_buffer_size": 0, "batch_size": 5},
            "cleanup.queue_buffer_size: expected an integer between 1 and 4294967295, got 0",
        ),
    ],
)
def test_cleanup_is_checked_as_the_original_does(
    cleanup: dict[str, object], problem: str, problems_of: Problems
) -> None:
    assert problems_of({"cleanup": cleanup}) == [problem]


def test_tls_needs_a_certificate_and_a_key() -> None:
    SslSettings.model_validate({"enabled": True, "cert_path": "/c.pem", "key_path": "/k.pem"})

    with pytest.raises(ValidationError) as caught:
        SslSettings.model_validate({"enabled": True, "cert_path": ""})

    assert [(error["loc"], error["msg"]) for error in caught.value.errors()] == [
        (("cert_path",), "is required while ssl.enabled is true"),
        (("key_path",), "is required while ssl.enabled is true"),
    ]


@pytest.mark.parametrize("mode", ["0", "660", "0660", "777"])
def test_the_mode_of_a_socket_is_an_octal_string(mode: str, load_document: Load) -> None:
    section = load_document({"unix_socket": {"permission_mode": mode}}).settings.unix_socket

    assert section.mode == int(mode, 8)


@pytest.mark.parametrize("mode", [660, 0o660, "", "888", "1000", "0o660", "rw-rw----", "00660", None, True])
def test_another_mode_of_a_socket_is_a_problem(mode: object, problems_of: Problems) -> None:
    (problem,) = problems_of({"unix_socket": {"permission_mode": mode}})

    assert problem.startswith('unix_socket.permission_mode: expected an octal string between "0" and "777", got ')


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("", "must be an absolute path while unix_socket.enabled is true"),
        ("run/s.sock", "must be an absolute path while unix_socket.enabled is true"),
        ("/run/../etc/s.sock", "must not lead upwards with .."),
        ("/run/..\\s.sock", "must not lead upwards with .."),
    ],
)
def test_an_enabled_socket_needs_a_plain_path(path: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        UnixSocketSettings.model_validate({"enabled": True, "path": path})

    assert [(error["loc"], error["msg"]) for error in caught.value.errors()] == [(("path",), sentence)]


@pytest.mark.parametrize(
    ("section", "mode", "tls", "word"),
    [
        ({"permission_mode": "666"}, "production", False, "every user of the machine"),
        ({}, "production", True, "ssl.enabled has no effect"),
        ({"path": "/tmp/sockudo.sock"}, "production", False, "is in /tmp"),
    ],
)
def test_a_socket_that_is_seldom_meant_is_warned_about(
    section: dict[str, str], mode: str, tls: bool, word: str
) -> None:
    (warning,) = UnixSocketSettings.model_validate({"enabled": True, **section}).advice(mode, tls=tls)

    assert word in warning
    assert UnixSocketSettings.model_validate(section).advice(mode, tls=tls) == []


def test_a_socket_in_tmp_is_fine_outside_of_production() -> None:
    section = UnixSocketSettings.model_validate({"enabled": True, "path": "/tmp/sockudo.sock"})

    assert section.advice("development", tls=False) == []


@pytest.mark.parametrize(
    ("document", "environ", "warning"),
    [
        ({"rate_limiter": {"api_rate_limit": {"max_requests": 5}}}, {}, "the limits of rate_limiter have no effect"),
        ({"rate_limiter": {"websocket_rate_limit": {"window_seconds": 5}}}, {}, "the limits of rate_limiter have no"),
        ({}, {"RATE_LIMITER_API_MAX_REQUESTS": "5"}, "the limits of rate_limiter have no effect"),
        ({"ssl": {"cert_path": "/c", "key_path": "/k"}}, {}, "the files of ssl have no effect"),
        ({}, {"SSL_CA_PATH": "/ca"}, "the files of ssl have no effect"),
    ],
)
def test_a_restriction_that_nobody_switched_on_is_a_warning(
    document: dict[str, Any], environ: dict[str, str], warning: str, load_document: Load
) -> None:
    apps = document_with("app_manager.array.apps", [{"id": "a", "key": "k", "secret": "s"}])
    section = "rate_limiter" if "rate" in warning else "ssl"

    (found,) = load_document(apps | document, environ).warnings
    assert found.startswith(warning)
    off = {section: {"enabled": False, **document.get(section, {})}}
    assert load_document(apps | off, environ).warnings == []


def test_trusted_proxies_alone_are_no_limit(load_document: Load) -> None:
    apps = document_with("app_manager.array.apps", [{"id": "a", "key": "k", "secret": "s"}])

    assert load_document(apps, {"RATE_LIMITER_WS_TRUST_HOPS": "1", "RATE_LIMITER_DRIVER": "redis"}).warnings == []


@pytest.mark.parametrize(
    ("network", "why"),
    [
        ("10.0.0.1/8", ": it has bits behind its prefix; write 10.0.0.0/8"),
        ("10.0.0.0/33", ""),
        ("::ffff:10.0.0.0/104", ": it maps IPv4 addresses; write them as IPv4"),
        ("proxy.example.com", ""),
        ("", ""),
        (10, ""),
    ],
)
def test_what_is_no_network_is_a_problem(network: object, why: str, problems_of: Problems) -> None:
    (problem,) = problems_of({"proxy_protocol": {"networks": [network]}})

    assert problem.startswith('proxy_protocol.networks[0]: expected a network such as "10.0.0.0/8"')
    assert problem.endswith(why)


def test_a_misspelt_list_of_trusted_networks_is_a_problem(problems_of: Problems) -> None:
    (problem,) = problems_of({"rate_limiter": {"trusted_network": ["10.0.0.0/8"]}})

    assert "did you mean trusted_networks?" in problem


@pytest.mark.parametrize("owner", ["", ":", "a:", "a b", "a:b:c", "-x", 5])
def test_what_is_no_owner_is_a_problem(owner: object, problems_of: Problems) -> None:
    (problem,) = problems_of({"unix_socket": {"owner": owner}})

    assert problem.startswith('unix_socket.owner: expected "user", "user:group", ":group" or null')


@pytest.mark.parametrize(
    "document",
    [
        {"ssl": {"enabled": False, "cert_path": "", "passphrase": None, "http_port": None}},
        {"unix_socket": {"enabled": False, "path": "relative"}},
        {"proxy_protocol": {"networks": []}},
    ],
)
def test_what_is_only_described_is_no_problem(document: dict[str, Any], load_document: Load) -> None:
    assert [warning for warning in load_document(document).warnings if "no app is" not in warning] == []


@pytest.mark.parametrize("wrong", [1, "true", None, {}, []])
def test_a_switch_of_another_kind_is_wrong(wrong: object, problems_of: Problems) -> None:
    (problem,) = problems_of({"ssl": {"enabled": wrong}})

    assert problem.startswith("ssl.enabled: expected true or false")


@pytest.mark.parametrize("name", ["dedicated", "window256b", "Window4kb", "window32kb"])
def test_other_ways_to_compress_mean_the_one_there_is(name: str) -> None:
    (warning,) = WebSocketSettings.model_validate({"compression": name}).advice()

    assert warning.startswith(f'websocket.compression "{name.lower()}" means "shared" here')


@pytest.mark.parametrize("name", ["disabled", "shared"])
def test_the_two_ways_of_compression_have_no_warning(name: str) -> None:
    assert WebSocketSettings.model_validate({"compression": name}).advice() == []


def test_the_variable_of_compression_is_that_of_the_original(load_document: Load) -> None:
    loaded = load_document({"app_manager": {"array": {"apps": []}}}, {"WEBSOCKET_COMPRESSION": "dedicated"})

    assert loaded.settings.websocket.compression == "dedicated"
    assert any("websocket.compression" in warning for warning in loaded.warnings)
