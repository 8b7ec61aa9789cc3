from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio.connection import parse_url

from sockudo.redis_client.url import parse_redis_url

URLS = [
    "redis://localhost",
    "redis://localhost:6380/2",
    "REDIS://Localhost/",
    "redis://:p%40ss@[::1]:6379/0",
    "redis://user:p%2Fw@127.0.0.1/x",
    "redis://user@host",
    "redis://",
    "rediss://u:p@h:1/3?ssl_cert_reqs=none&ssl_check_hostname=no&ssl_ca_certs=%2Fca%20s.pem",
    "redis://h/1?db=4",
    "unix:///run/redis.sock",
    "unix://u:p@/run/re%20dis.sock?db=2",
]


@pytest.mark.parametrize("url", URLS)
def test_a_url_means_what_it_means_to_the_official_library(url: str) -> None:
    theirs: dict[str, Any] = dict(parse_url(url))
    ours = parse_redis_url(url)
    for name in ("host", "port", "path", "db", "username", "password"):
        assert getattr(ours, name) == theirs.get(name), name


@pytest.mark.parametrize(
    "url", ["http://localhost", "localhost:6379", "", "redis://h:port", "redis://h:99999", "redis://h?db=x"]
)
def test_what_is_no_redis_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        parse_redis_url(url)


def test_a_login_is_not_shown() -> None:
    assert "hunter2" not in repr(parse_redis_url("redis://user:hunter2@h?ssl_password=hunter2"))
