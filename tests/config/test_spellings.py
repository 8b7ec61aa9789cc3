"""Where some variables of a group have two spellings, all of them have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from sockudo.config.effective import effective
from sockudo.config.environment import variables_of
from sockudo.config.kinds.section import Section, env_of, section_of
from sockudo.config.model import Settings
from sockudo.redis_client.places import cluster_login, cluster_nodes

from .conftest import Load, Problems, document_with


class Spelling(NamedTuple):
    """Two spellings of a part of a name; every setting whose variable begins with `group` has both."""

    group: str
    first: str
    second: str


SPELLINGS = [
    Spelling("RATE_LIMITER_", "RATE_LIMITER_WS_", "RATE_LIMITER_WEBSOCKET_"),
    Spelling("", "QUEUE_SQS_", "SQS_"),
    Spelling("DATABASE_POOL", "DATABASE_POOLING_", "DATABASE_POOL_"),
    Spelling("DATABASE_", "_USERNAME", "_USER"),
]
# Parts with a Redis of their own: each takes REDIS_URL, and a variable of its own.
PARTS = ("ADAPTER", "CACHE", "QUEUE", "RATE_LIMITER")


def marks(model: type[Section]) -> Iterator[tuple[str, ...]]:
    """Yield the variables of each setting that has any."""
    for field in model.model_fields.values():
        inner, mark = section_of(field), env_of(field)
        if inner is not None:
            yield from marks(inner)
        elif mark is not None:
            yield mark.all_names


def has(name: str, part: str) -> bool:
    return name.endswith(part) if part.startswith("_") else name.startswith(part)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_all_variables_of_a_group_have_both_spellings(spelling: Spelling) -> None:
    found = 0
    for names in marks(Settings):
        for name in names:
            for one, other in ((spelling.first, spelling.second), (spelling.second, spelling.first)):
                if name.startswith(spelling.group) and has(name, one):
                    found += 1
                    assert name.replace(one, other, 1) in names
    assert found >= 6


def test_every_part_with_redis_has_a_variable_for_its_address() -> None:
    for part in PARTS:
        assert any({"REDIS_URL", f"{part}_REDIS_URL"} <= set(names) for names in marks(Settings))


def test_every_sql_database_has_a_variable_for_its_table() -> None:
    known = set(variables_of(Settings))

    assert {f"DATABASE_{name}_TABLE_NAME" for name in ("MYSQL", "POSTGRES", "SQLITE")} <= known


@pytest.mark.parametrize("name", ["WS", "WEBSOCKET"])
def test_proxies_of_websockets_are_trusted_by_either_name(name: str, load_document: Load) -> None:
    settings = load_document(environ={f"RATE_LIMITER_{name}_TRUST_HOPS": "1"}).settings

    assert settings.rate_limiter.websocket_rate_limit.trust_hops == 1


@pytest.mark.parametrize("text", ["human", "text", "pretty", "plain", "TEXT", "Pretty"])
@pytest.mark.parametrize("variable", ["LOG_FORMAT", "LOG_OUTPUT_FORMAT"])
def test_a_log_for_people_has_several_names(variable: str, text: str, load_document: Load) -> None:
    assert load_document(environ={variable: text}).settings.logging.output_format == "human"


def test_sentinels_are_read_from_a_variable(load_document: Load) -> None:
    text = "a:1, b ,[::1]:2,2001:db8::1,[::2]"
    environ = {"DATABASE_REDIS_SENTINELS": text, "DATABASE_REDIS_SENTINEL_PASSWORD": "p"}
    environ |= {"DATABASE_REDIS_SENTINEL_MASTER": "m", "DATABASE_REDIS_USER": "u"}

    loaded = load_document({"database": {"redis": {"sentinels": [{"host": "of the file"}]}}}, environ)

    redis = loaded.settings.database.redis
    assert [(one.host, one.port) for one in redis.sentinels] == [
        ("a", 1),
        ("b", 26379),
        ("::1", 2),
        ("2001:db8::1", 26379),
        ("::2", 26379),
    ]
    assert (redis.sentinel_password, redis.name, redis.username) == ("p", "m", "u")
    sources = {one.path: one.name for one in effective(loaded)}
    assert sources["database.redis.sentinels[1].port"] == "DATABASE_REDIS_SENTINELS"


@pytest.mark.parametrize("text", ["a:x", "a:0", "a:70000", "redis://a:1", "u:p@a:1"])
def test_a_sentinel_that_is_no_address_names_its_variable(text: str, problems_of: Problems) -> None:
    (problem,) = problems_of(environ={"ADAPTER_DRIVER": "redis", "DATABASE_REDIS_SENTINELS": f"a:1,{text}"})

    assert problem.startswith("DATABASE_REDIS_SENTINELS (database.redis.sentinels[1].")


def test_redis_cluster_nodes_are_read_from_a_variable(load_document: Load) -> None:
    environ = {"DATABASE_REDIS_CLUSTER_NODES": "a,b:1,rediss://u:p@c:2,[::1]:3"}

    redis = load_document(environ=environ).settings.database.redis
    assert cluster_nodes(redis) == ("redis://a:7000", "redis://b:1", "rediss://u:p@c:2", "redis://[::1]:3")
    assert cluster_login(redis) == (None, None)


def test_a_redis_cluster_has_its_own_login_and_tls(load_document: Load) -> None:
    environ = {"DATABASE_REDIS_CLUSTER_NODES": "a:1,redis://b:2,rediss://c:3", "DATABASE_REDIS_CLUSTER_USE_TLS": "true"}
    environ |= {"DATABASE_REDIS_CLUSTER_USER": "cu", "DATABASE_REDIS_CLUSTER_PASSWORD": "cp"}
    environ |= {"DATABASE_REDIS_USERNAME": "u", "DATABASE_REDIS_PASSWORD": "p"}

    redis = load_document(environ=environ).settings.database.redis
    assert cluster_nodes(redis) == ("rediss://a:1", "rediss://b:2", "rediss://c:3")
    assert cluster_nodes(redis, ("d:4",)) == ("rediss://d:4",)
    assert cluster_login(redis) == ("cu", "cp")


def test_the_login_of_database_redis_serves_a_cluster_too(load_document: Load) -> None:
    redis = load_document({"database": {"redis": {"username": "u", "password": "p"}}}).settings.database.redis

    assert cluster_login(redis) == ("u", "p")


def test_a_user_of_a_redis_cluster_needs_its_password(problems_of: Problems) -> None:
    document = document_with("database.redis.cluster.username", "u")

    assert problems_of(document) == [
        "database.redis.cluster.password: is required beside database.redis.cluster.username"
    ]
