"""Options of ioredis as URLs that our drivers take."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.connection import parse_url

from sockudo.config.kinds.addresses import RedisAddress
from sockudo.migration.draft import NoEqual
from sockudo.migration.soketi.ioredis import needs_url, redis_url, sentinel_of, tls_problem, unknown_options, uses_tls


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "redis://127.0.0.1:6379/0"),
        ({"host": "r", "port": "7000", "db": "3"}, "redis://r:7000/3"),
        ({"host": "::1"}, "redis://[::1]:6379/0"),
        ({"username": "ann", "password": "a/b@c"}, "redis://ann:a%2Fb%40c@127.0.0.1:6379/0"),
        ({"password": "p"}, "redis://:p@127.0.0.1:6379/0"),
        ({"host": "r", "tls": {}}, "rediss://r:6379/0"),
        ({"host": "r", "tls": True}, "rediss://r:6379/0"),
        ({"host": "r", "tls": {"rejectUnauthorized": False}}, "rediss://r:6379/0?ssl_cert_reqs=none"),
        ({"path": "/run/redis.sock", "db": 2}, "unix:///run/redis.sock?db=2"),
        ({"host": None, "port": None, "username": None, "password": None}, "redis://127.0.0.1:6379/0"),
    ],
)
def test_options_are_a_url(options: dict[str, Any], url: str) -> None:
    assert redis_url(options) == url
    assert RedisAddress().check(url) == url


def test_a_password_may_stay_out() -> None:
    assert redis_url({"username": "ann", "password": "p"}, password=False) == "redis://ann@127.0.0.1:6379/0"


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_a_login_reaches_the_driver_as_it_is(username: str, password: str) -> None:
    url = redis_url({"username": username, "password": password})

    assert RedisAddress().check(url) == url
    parts = parse_url(url)
    assert (parts["username"], parts["password"]) == (username, password)


@pytest.mark.parametrize("options", [{"port": "x"}, {"db": -1}, {"host": ["r"]}, {"username": []}])
def test_malformed_options_have_no_equal(options: dict[str, Any]) -> None:
    with pytest.raises(NoEqual):
        redis_url(options)


@pytest.mark.parametrize("options", [{"host": "r"}, {"db": 0}, {"tls": {}}, {"path": "/s"}, {"username": "u"}])
def test_some_options_lead_elsewhere(options: dict[str, Any]) -> None:
    assert needs_url(options)


@pytest.mark.parametrize("options", [{}, {"password": "p"}, {"host": ""}, {"host": None}, {"tls": False}, {"x": 1}])
def test_others_do_not(options: dict[str, Any]) -> None:
    assert not needs_url(options)


def test_sentinels_are_those_of_a_connection() -> None:
    options = {"sentinels": [{"host": "a", "port": 1}, {}], "name": "m", "sentinelPassword": "p"}

    assert sentinel_of(options) == {"master_name": "m", "hosts": ["a:1", "localhost:26379"], "password": "p"}
    assert sentinel_of({"sentinels": []}) is None


def test_options_without_an_equal_are_named() -> None:
    assert list(unknown_options({"host": "r", "family": 4, "retryStrategy": None, "name": "m"})) == ["family"]


def test_any_object_asks_for_tls() -> None:
    assert uses_tls({"tls": {}})
    assert uses_tls({"tls": "true"})
    assert not uses_tls({})
    assert not uses_tls({"tls": None})


@pytest.mark.parametrize(
    ("tls", "words"), [({"ca": "PEM"}, "has certificates"), ("maybe", "is neither true nor false")]
)
def test_tls_that_cannot_be_read_is_tls(tls: object, words: str) -> None:
    assert redis_url({"host": "r", "tls": tls}) == "rediss://r:6379/0"
    assert words in str(tls_problem({"tls": tls}))


@pytest.mark.parametrize("tls", [None, {}, {"servername": "r"}, True, False, "true"])
def test_tls_that_can_be_read_is_no_problem(tls: object) -> None:
    assert tls_problem({"tls": tls}) is None
