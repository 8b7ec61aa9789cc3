"""The stores in a Redis that settings ask for: where they are, what their keys begin with, and what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sockudo.assembly.drivers import CACHES, RATE_LIMITERS, cache_class, rate_limiter_class
from sockudo.assembly.store_options import cache_options, rate_limiter_options
from sockudo.config.model import Settings
from sockudo.errors import ConfigError, MissingExtraError
from sockudo.redis_client.options import RedisNodes, RedisStoreOptions, RedisTarget, Sentinels
from sockudo.redis_client.places import cluster_nodes

from .conftest import Load, Problems, document_with

Options = Callable[[Settings], RedisStoreOptions]
PARTS = pytest.mark.parametrize(
    ("section", "options", "prefix", "null_prefix"),
    [
        ("cache", cache_options, "sockudo_cache:", "p:cache:"),
        ("rate_limiter", rate_limiter_options, "sockudo_rl:", "p:rl_http:"),
    ],
)


def settings(section: str, driver: str = "redis", *, redis: dict[str, Any] | None = None, **database: Any) -> Settings:
    return Settings.model_validate({section: {"driver": driver, "redis": redis or {}}, "database": {"redis": database}})


def target_of(options: RedisStoreOptions) -> RedisTarget:
    assert isinstance(options.place, RedisTarget)
    return options.place


@pytest.mark.parametrize("driver", sorted(CACHES))
def test_every_cache_that_can_be_chosen_has_a_class(driver: str) -> None:
    assert callable(cache_class(driver))


@pytest.mark.parametrize("driver", sorted(RATE_LIMITERS))
def test_every_rate_limiter_that_can_be_chosen_has_a_class(driver: str) -> None:
    assert callable(rate_limiter_class(driver))


@PARTS
def test_a_part_without_a_redis_uses_that_of_the_database(
    section: str, options: Options, prefix: str, null_prefix: str
) -> None:
    sentinels = [{"host": "s", "port": 1}]
    made = options(settings(section, host="r", port=1, db=2, username="u", password="p", sentinels=sentinels, name="m"))
    target = target_of(made)
    assert (target.url, target.db, target.username, target.password) == ("redis://r:1", 2, "u", "p")
    assert target.sentinels == Sentinels((("s", 1),), "m")
    assert target.setting == f"{section}.redis.url_override or database.redis"
    assert made.prefix == prefix


@PARTS
def test_an_own_address_comes_first_and_is_no_sentinel(
    section: str, options: Options, prefix: str, null_prefix: str
) -> None:
    own = {"url_override": "rediss://u:p@own:7/3"}
    target = target_of(options(settings(section, redis=own, host="r", sentinels=[{"host": "s"}])))
    assert (target.url, target.sentinels) == ("rediss://u:p@own:7/3", None)
    assert "rediss" not in repr(target)


@PARTS
def test_a_null_prefix_is_made_of_the_common_one(section: str, options: Options, prefix: str, null_prefix: str) -> None:
    made = options(settings(section, redis={"prefix": None}, key_prefix="p:"))
    assert made.prefix == null_prefix
    assert options(settings(section, redis={"prefix": "own"}, key_prefix="p:")).prefix == "own"


@PARTS
@pytest.mark.parametrize(("driver", "cluster_mode"), [("redis-cluster", False), ("redis", True)])
def test_a_cluster_is_that_of_the_database_section(
    driver: str, cluster_mode: bool, section: str, options: Options, prefix: str, null_prefix: str
) -> None:
    redis = {"cluster_mode": cluster_mode, "url_override": "redis://elsewhere"}
    nodes = [{"host": "a", "port": 1}, {"host": "rediss://b:2"}]
    made = options(settings(section, driver, redis=redis, cluster_nodes=nodes, username="u", password="p"))
    assert made.place == RedisNodes(("redis://a:1", "rediss://b:2"), "database.redis.cluster_nodes", "u", "p")
    with pytest.raises(ConfigError, match=rf"database\.redis\.cluster_nodes: {section}\."):
        options(settings(section, driver, redis=redis))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("a", "redis://a:1"),
        ("a:2", "redis://a:2"),
        ("rediss://a", "rediss://a:1"),
        ("redis://:x@a", "redis://:x@a:1"),
        ("redis://u:x@a:2", "redis://u:x@a:2"),
        ("u:x@a:2", "redis://u:x@a:2"),
        ("::1", "redis://[::1]:1"),
        ("[::1]:2", "redis://[::1]:2"),
        ("rediss://u:x@[::1]:2", "rediss://u:x@[::1]:2"),
    ],
)
def test_a_host_may_have_a_scheme_login_and_port(host: str, url: str, load_document: Load) -> None:
    redis = {"host": host, "port": 1, "cluster_nodes": [{"host": host, "port": 1}]}
    loaded = load_document({"database": {"redis": redis}, "cache": {"redis": {"cluster_mode": False}}}).settings
    assert target_of(cache_options(loaded)).url == url
    assert cluster_nodes(loaded.database.redis) == (url,)


@pytest.mark.parametrize("host", ["", "http://a", "a/1", "redis://a/1", "a?db=1", "a:SECRET:", "a b", 5])
def test_an_invalid_host_is_a_problem_without_its_text(host: Any, problems_of: Problems) -> None:
    problems = problems_of(document_with("database.redis", {"host": host, "cluster_nodes": [{"host": host}]}))
    places = [problem.partition(": expected a host, perhaps with redis:// or rediss://")[0] for problem in problems]
    assert places == ["database.redis.host", "database.redis.cluster_nodes[0].host"]
    assert "SECRET" not in "".join(problems)


def test_the_environment_names_the_redis_of_every_part_at_once(load_document: Load) -> None:
    environ = {"REDIS_URL": "redis://r", "CACHE_DRIVER": "redis", "RATE_LIMITER_DRIVER": "redis"}
    loaded = load_document(environ=environ).settings
    assert [target_of(options(loaded)).url for options in (cache_options, rate_limiter_options)] == ["redis://r"] * 2


@pytest.mark.parametrize(("choose", "setting"), [(cache_class, "cache"), (rate_limiter_class, "rate_limiter")])
def test_an_extra_that_is_missing_is_named(
    choose: Callable[[str], Any], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'hiredis'", name="hiredis")

    monkeypatch.setattr("sockudo.assembly.drivers.import_module", missing)
    with pytest.raises(MissingExtraError, match=rf"{setting}\.driver redis needs hiredis: pip install"):
        choose("redis")
