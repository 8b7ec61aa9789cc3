from __future__ import annotations

import pytest

from sockudo.config.sections.database import RedisDatabaseSettings
from sockudo.errors import ConfigError
from sockudo.redis_client.options import RedisNodes, Sentinels
from sockudo.redis_client.places import host_and_port, redis_nodes, redis_target

DATABASE = RedisDatabaseSettings.model_validate(
    {
        "host": "r",
        "port": 1,
        "db": 2,
        "username": "u",
        "password": "p",
        "sentinels": [{"host": "s", "port": 3}],
        "sentinel_password": "sp",
        "name": "m",
        "cluster_nodes": [{"host": "c", "port": 4}],
    }
)


def test_a_part_without_a_redis_uses_the_database_section() -> None:
    target = redis_target(DATABASE, None, "x.url")
    assert (target.url, target.db, target.username, target.password) == ("redis://r:1", 2, "u", "p")
    assert target.sentinels == Sentinels((("s", 3),), "m", password="sp")
    assert target.setting == "x.url or database.redis"


def test_a_part_with_its_own_redis_asks_no_sentinels() -> None:
    target = redis_target(DATABASE, "rediss://own", "x.url")
    assert (target.url, target.sentinels) == ("rediss://own", None)


def test_nodes_of_a_part_win_over_the_database_section() -> None:
    assert redis_nodes(DATABASE, (), "x", "y") == RedisNodes(("redis://c:4",), "x", "u", "p")
    assert redis_nodes(DATABASE, ("a:1", "rediss://b"), "x", "y").urls == ("redis://a:1", "rediss://b")


def test_a_cluster_without_nodes_names_the_setting() -> None:
    with pytest.raises(ConfigError, match=r"^x\.nodes: x\.driver needs the address of at least one node$"):
        redis_nodes(RedisDatabaseSettings(), (), "x.nodes", "x.driver")


@pytest.mark.parametrize(
    ("text", "address"), [("h", ("h", 9)), ("h:1", ("h", 1)), ("[::1]:1", ("::1", 1)), ("h:x", ("h:x", 9))]
)
def test_a_host_without_a_port_has_the_usual_one(text: str, address: tuple[str, int]) -> None:
    assert host_and_port(text, 9) == address
