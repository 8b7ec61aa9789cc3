"""The adapter that settings ask for: files of the original, its environment, and what is missing."""

from __future__ import annotations

import sys
from typing import Any, get_args

import pytest

from sockudo.assembly.cluster import ADAPTERS, adapter_class, bus_from_settings
from sockudo.bus.kafka.options import logs_in as kafka_logs_in
from sockudo.bus.kafka.options import uses_tls as kafka_uses_tls
from sockudo.bus.rabbitmq.options import heartbeat
from sockudo.bus.redis.options import RedisClusterOptions, RedisOptions
from sockudo.config.model import Settings
from sockudo.config.sections.adapter import AdapterDriver
from sockudo.errors import ConfigError, MissingExtraError
from sockudo.redis_client.options import Sentinels

from .conftest import Load, Problems


def settings(adapter: dict[str, Any], **database: Any) -> Settings:
    return Settings.model_validate({"adapter": adapter, "database": {"redis": database}})


def redis_options(chosen: Settings) -> RedisOptions:
    """Return what the driver `redis` is told."""
    options = ADAPTERS["redis"].options(chosen)
    assert isinstance(options, RedisOptions)
    return options


def redis_cluster_options(chosen: Settings) -> RedisClusterOptions:
    """Return what the driver `redis-cluster` is told."""
    options = ADAPTERS["redis-cluster"].options(chosen)
    assert isinstance(options, RedisClusterOptions)
    return options


def test_a_local_node_has_no_adapter() -> None:
    assert bus_from_settings(Settings())[0] is None


@pytest.mark.parametrize("driver", [name for name in get_args(AdapterDriver) if name != "local"])
def test_every_driver_that_can_be_chosen_has_a_class(driver: str) -> None:
    assert callable(adapter_class(driver))


def test_an_adapter_without_a_redis_uses_that_of_the_database() -> None:
    options = redis_options(settings({}, host="r", port=1, db=2, username="u", password="p"))
    target = options.target
    assert (target.url, target.db, target.username, target.password) == ("redis://r:1", 2, "u", "p")
    assert options.subscribe_target is None


def test_both_connections_may_have_an_address_of_their_own() -> None:
    redis = {"redis_pub_options": {"url": "redis://a"}, "redis_sub_options": {"url": "redis://b"}}
    options = redis_options(settings({"redis": redis}))
    assert options.subscribe_target is not None
    assert (options.target.url, options.subscribe_target.url) == ("redis://a", "redis://b")


def test_sentinels_are_taken_from_either_place() -> None:
    sentinel = {"master_name": "m", "hosts": ["a:1", "b"], "password": "p"}
    inside = redis_options(settings({"redis": {"redis_pub_options": {"sentinel": sentinel}}}))
    assert inside.target.sentinels == Sentinels((("a", 1), ("b", 26379)), "m", password="p")
    database = {"sentinels": [{"host": "a", "port": 1}, {}], "name": "m", "sentinel_password": "p"}
    outside = redis_options(settings({}, **database))
    assert outside.target.sentinels == Sentinels((("a", 1), ("localhost", 26379)), "m", password="p")


def test_redis_cluster_nodes_are_taken_from_either_place() -> None:
    assert redis_cluster_options(settings({"cluster": {"nodes": ["a:1", "rediss://b:2"]}})).nodes.urls == (
        "redis://a:1",
        "rediss://b:2",
    )
    nodes = [{"host": "a", "port": 1}, {"host": "rediss://b:2"}, {"host": "::1"}]
    assert redis_cluster_options(settings({}, cluster_nodes=nodes)).nodes.urls == (
        "redis://a:1",
        "rediss://b:2",
        "redis://[::1]:7000",
    )


@pytest.mark.parametrize("adapter", [{"driver": "redis-cluster"}, {"driver": "redis", "redis": {"cluster_mode": True}}])
def test_a_redis_cluster_without_nodes_is_a_named_problem(adapter: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"adapter\.cluster\.nodes or database\.redis\.cluster_nodes"):
        bus_from_settings(settings(adapter))


@pytest.mark.parametrize(("driver", "section"), [("redis", "redis"), ("redis-cluster", "cluster")])
def test_a_driver_of_a_redis_reads_its_own_section(driver: str, section: str) -> None:
    chosen = settings({"cluster": {"nodes": ["a:1"]}})
    options = ADAPTERS[driver].options(chosen)
    assert isinstance(options, (RedisOptions, RedisClusterOptions))
    assert options.section is getattr(chosen.adapter, section)


@pytest.mark.parametrize("driver", ["nats", "rabbitmq", "kafka"])
def test_a_driver_of_a_broker_reads_its_own_section(driver: str) -> None:
    chosen = settings({driver: {"prefix": "x"}})
    assert ADAPTERS[driver].options(chosen) is getattr(chosen.adapter, driver)


def test_rabbitmq_may_be_silent_for_a_second_at_least() -> None:
    options = settings({"rabbitmq": {"request_timeout_ms": 10}}).adapter.rabbitmq
    # AMQP has no shorter heartbeat.
    assert (options.silence_timeout, heartbeat(options)) == (1.0, 1)


@pytest.mark.parametrize(
    ("section", "uses_tls", "logs_in"),
    [
        ({}, False, False),
        ({"tls_ca": "/ca"}, True, False),
        ({"sasl_username": "u"}, False, True),
        ({"security_protocol": "SASL_SSL"}, True, True),
        ({"security_protocol": "PLAINTEXT", "tls_ca": "/ca", "sasl_username": "u"}, False, False),
    ],
)
def test_what_kafka_is_spoken_over_follows_from_what_is_set(
    section: dict[str, Any], uses_tls: bool, logs_in: bool
) -> None:
    options = settings({"kafka": section}).adapter.kafka
    assert (kafka_uses_tls(options), kafka_logs_in(options)) == (uses_tls, logs_in)


@pytest.mark.parametrize(("driver", "library"), [("rabbitmq", "pamqp"), ("kafka", "aiokafka")])
def test_a_driver_without_its_library_says_what_to_install(
    driver: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name.startswith(("sockudo.bus.", f"{library}.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"^adapter\.driver {driver} needs {library}: .*'sockudo\[{driver}\]'"):
        adapter_class(driver)


def test_the_times_of_the_cluster_are_those_of_cluster_health() -> None:
    health = {"heartbeat_interval_ms": 1000, "node_timeout_ms": 3000, "cleanup_interval_ms": 3000}
    _, times = bus_from_settings(settings({"cluster_health": health}))
    assert (times.heartbeat_interval, times.node_timeout) == (1.0, 3.0)
    _, never = bus_from_settings(settings({"cluster_health": {"enabled": False}}))
    assert never.node_timeout == float("inf")


@pytest.mark.parametrize(
    ("health", "interval"),
    [
        pytest.param({}, 2.0, id="usual"),
        pytest.param(
            {"heartbeat_interval_ms": 500, "node_timeout_ms": 1500, "cleanup_interval_ms": 500}, 0.5, id="short"
        ),
        pytest.param({"heartbeat_interval_ms": 1, "node_timeout_ms": 3, "cleanup_interval_ms": 1}, 0.1, id="tiny"),
        pytest.param({"enabled": False, "node_timeout_ms": 30000}, 2.0, id="off"),
    ],
)
def test_a_silent_redis_is_noticed_within_the_node_timeout(health: dict[str, Any], interval: float) -> None:
    chosen = settings({"cluster_health": health, "cluster": {"nodes": ["a:1"]}})
    for options in (redis_options(chosen), redis_cluster_options(chosen)):
        assert options.timing.probe_interval == interval


def test_cluster_health_may_stand_at_the_top_of_a_file(load_document: Load) -> None:
    loaded = load_document({"cluster_health": {"node_timeout_ms": 60000}})
    assert loaded.settings.adapter.cluster_health.node_timeout_ms == 60000
    assert not [warning for warning in loaded.warnings if "cluster_health" in warning]


@pytest.mark.parametrize(
    ("health", "sentence"),
    [
        ({"heartbeat_interval_ms": 10001}, "heartbeat_interval_ms must be at most a third of node_timeout_ms"),
        ({"cleanup_interval_ms": 30001}, "cleanup_interval_ms must be at most node_timeout_ms"),
    ],
)
def test_times_out_of_proportion_are_a_problem(health: dict[str, int], sentence: str, problems_of: Problems) -> None:
    (line,) = problems_of({"adapter": {"cluster_health": health}})
    assert line == f"adapter.cluster_health: {sentence}"


def test_no_secret_is_shown() -> None:
    adapter = {"redis": {"redis_pub_options": {"url": "redis://:TOPSECRET@a", "password": "TOPSECRET"}}}
    nats = {"nats": {"servers": ["nats://u:TOPSECRET@a"], "token": "TOPSECRET", "nkey_seed": "TOPSECRET"}}
    more = {"rabbitmq": {"url": "amqp://u:TOPSECRET@a"}, "kafka": {"sasl_password": "TOPSECRET"}}
    cluster = {"cluster": {"nodes": ["redis://:TOPSECRET@a"]}}
    chosen = settings(adapter | nats | more | cluster, password="TOPSECRET", sentinel_password="TOPSECRET")
    for shown in (chosen, *(driver.options(chosen) for driver in ADAPTERS.values())):
        assert "TOPSECRET" not in repr(shown)
