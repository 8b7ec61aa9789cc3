"""Converts the settings of soketi that need more than a new name: Redis, SQS, conditional values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from sockudo.migration.conversions import members, objects, text, whole
from sockudo.migration.draft import Draft, NoEqual
from sockudo.migration.soketi.ioredis import needs_url, redis_url, sentinel_of, tls_problem, unknown_options, uses_tls

_LIMITS: Final = "the nodes count together what an app uses; `rate_limiter` here is about client addresses"


def convert_parts(given: Mapping[str, Any], draft: Draft) -> None:
    """Convert them all; `given` has the values by their dotted names."""
    steps: dict[str, Callable[[Mapping[str, Any], Draft], None]] = {
        "database.redis.tls": _cluster_over_tls,
        "queue.sqs.queueUrl": _queue_url,
        "queue.sqs.consumerOptions": _consumer_options,
    }
    _convert_connections(given, draft)
    for key, step in steps.items():
        try:
            step(given, draft)
        except NoEqual as reason:
            draft.remark(key, str(reason))
    _convert_switches(given, draft)


def _convert_connections(given: Mapping[str, Any], draft: Draft) -> None:
    """Convert the connections to Redis. One that cannot be read becomes a URL that no server starts with."""
    problem = tls_problem(_database(given))
    if problem is not None:
        draft.remark("database.redis.tls", problem)
    connections: tuple[tuple[str, str, str, Callable[[Mapping[str, Any], Draft], None]], ...] = (
        ("adapter", "redisPubOptions", "redis_pub_options.url", partial(_connection, "Pub")),
        ("adapter", "redisSubOptions", "redis_sub_options.url", partial(_connection, "Sub")),
        ("cache", "redisOptions", "url_override", partial(_url_override, "cache")),
        ("queue", "redisOptions", "url_override", partial(_url_override, "queue")),
    )
    for part, options, ours, step in connections:
        key = f"{part}.redis.{options}"
        try:
            step(given, draft)
        except NoEqual as reason:
            draft.remark(key, str(reason))
            if given.get(f"{part}.driver") == "redis":
                draft.put(f"{part}.redis.{ours}", "")


def _convert_switches(given: Mapping[str, Any], draft: Draft) -> None:
    if given.get("ssl.certPath") or given.get("ssl.keyPath"):
        draft.put("ssl.enabled", True)
    if given.get("rateLimiter.driver", "local") != "local":
        draft.remark("rateLimiter.driver", f"has no equal: {_LIMITS}")
    if given.get("mode", "full") != "full":
        draft.remark("mode", "has no equal: every node serves, and delivers webhooks")
    if "httpApi.acceptTraffic.memoryThreshold" in given:
        draft.remark("httpApi.acceptTraffic.memoryThreshold", "is about the memory of the machine here, not V8's heap")


def _database(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that every connection to Redis begins with."""
    start = "database.redis."
    return {key.removeprefix(start): value for key, value in given.items() if key.startswith(start)}


def _connection(which: str, given: Mapping[str, Any], draft: Draft) -> None:
    """One of the adapter's connections: Pub or Sub."""
    key, path = f"adapter.redis.redis{which}Options", f"adapter.redis.redis_{which.lower()}_options"
    options = members(given.get(key))
    everything = _database(given) | options
    is_chosen = given.get("adapter.driver") == "redis"
    if needs_url(options) or (is_chosen and uses_tls(everything)):
        draft.put(f"{path}.url", redis_url(everything, password=False))
    if options.get("password") not in (None, ""):
        draft.put(f"{path}.password", text(options["password"]))
    sentinel = sentinel_of(everything) if options.get("sentinels") else None
    if sentinel is not None:
        draft.put(f"{path}.sentinel", sentinel)
    _remark_unknown(key, options, draft)


def _url_override(part: str, given: Mapping[str, Any], draft: Draft) -> None:
    """The connection of the cache or of the queue."""
    key = f"{part}.redis.redisOptions"
    options = members(given.get(key))
    everything = _database(given) | options
    is_chosen = given.get(f"{part}.driver") == "redis"
    if needs_url(options) or options.get("password") or (is_chosen and uses_tls(everything)):
        draft.put(f"{part}.redis.url_override", redis_url(everything))
    for name in ("sentinels", "sentinelPassword", "name"):
        if options.get(name):
            draft.remark(f"{key}.{name}", "has no equal: sentinels are those of database.redis here")
    _remark_unknown(key, options, draft)


def _remark_unknown(key: str, options: Mapping[str, Any], draft: Draft) -> None:
    problem = tls_problem(options)
    if problem is not None:
        draft.remark(f"{key}.tls", problem)
    for name in unknown_options(options):
        draft.remark(f"{key}.{name}", "has no equal among the options of a connection here")


def _cluster_over_tls(given: Mapping[str, Any], draft: Draft) -> None:
    """Say TLS in the addresses of the nodes of a cluster, where it belongs here."""
    nodes = objects(given.get("database.redis.clusterNodes"))
    if nodes and uses_tls(_database(given)):
        draft.put(
            "database.redis.cluster_nodes",
            [{**node, "host": f"rediss://{text(node.get('host') or '127.0.0.1')}"} for node in nodes],
        )


def _queue_url(given: Mapping[str, Any], draft: Draft) -> None:
    key = "queue.sqs.queueUrl"
    if key not in given:
        return
    start, _, name = text(given[key]).rpartition("/")
    draft.put("queue.sqs.queue_url_prefix", f"{start}/")
    # soketi sends what only a FIFO queue takes.
    draft.put("queue.sqs.fifo", True)
    if name != "webhooks.fifo":
        draft.remark(key, "the queue is called webhooks.fifo here; make one of that name beside it")


def _consumer_options(given: Mapping[str, Any], draft: Draft) -> None:
    key = "queue.sqs.consumerOptions"
    names = {"visibilityTimeout": "visibility_timeout", "waitTimeSeconds": "wait_time_seconds"}
    for name, value in members(given.get(key)).items():
        if name in names:
            draft.put(f"queue.sqs.{names[name]}", whole(value))
        else:
            draft.remark(f"{key}.{name}", "has no equal")
