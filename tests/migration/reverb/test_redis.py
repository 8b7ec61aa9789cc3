"""The Redis of Laravel Reverb: what asks for TLS is encrypted here, and what cannot be read starts no server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.config.load import problems_of
from sockudo.migration.draft import Draft
from sockudo.migration.reverb.document import from_variables
from sockudo.migration.reverb.redis import convert_redis

IDENTITY = {"REVERB_APP_ID": "1", "REVERB_APP_KEY": "k", "REVERB_APP_SECRET": "s"}


def convert(**server: Any) -> tuple[dict[str, Any], list[str]]:
    draft = Draft({"adapter": {"driver": "redis"}, "app_manager": {"array": {"apps": []}}})
    convert_redis(server, "server", draft)
    return draft.document, [str(remark) for remark in draft.remarks]


def url_of(document: dict[str, Any]) -> Any:
    return document["adapter"].get("redis", {}).get("redis_pub_options", {}).get("url")


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ({"url": "tls://r.io"}, "rediss://r.io:6379/0"),
        ({"url": "tls://:p%40@r.io:7/2"}, "rediss://:p%40@r.io:7/2"),
        ({"url": "TLS://r.io"}, "rediss://r.io:6379/0"),
        ({"url": "rediss://r.io"}, "rediss://r.io:6379/0"),
        ({"url": "tcp://ann:p@r.io:7"}, "redis://ann:p@r.io:7/0"),
        ({"url": "redis://r.io?database=2"}, "redis://r.io:6379/2"),
        ({"url": "redis://r.io/1?database=2"}, "redis://r.io:6379/2"),
        ({"url": "redis://r.io?db=3"}, "redis://r.io:6379/3"),
        ({"url": "redis://r.io?scheme=tls&password=p"}, "rediss://:p@r.io:6379/0"),
        ({"url": "tls://r.io?scheme=tcp"}, "rediss://r.io:6379/0"),
        ({"url": "redis://r.io", "scheme": "tls"}, "rediss://r.io:6379/0"),
        ({"url": "r.io:7"}, "redis://r.io:7/0"),
        ({"url": "tls://[::1]:7/1"}, "rediss://[::1]:7/1"),
        ({"url": "unix:///run/redis.sock?db=2"}, "unix:///run/redis.sock?db=2"),
        ({"url": "tls://r.io", "password": "p", "username": "ann", "port": "7", "database": "4"},
         "rediss://ann:p@r.io:7/4"),
        ({"url": "redis://r.io:8/2", "host": "other", "port": 7, "database": 4}, "redis://r.io:8/2"),
        ({"host": "r.io", "scheme": "tls"}, "rediss://r.io:6379/0"),
        ({"host": "r.io", "scheme": "TLS", "password": "p@", "database": 2}, "rediss://:p%40@r.io:6379/2"),
        ({"host": "tls://r.io", "port": 7}, "rediss://r.io:7/0"),
        ({"host": "tls://r.io:8", "port": 7}, "rediss://r.io:8/0"),
        ({"host": "tcp://r.io"}, "redis://r.io:6379/0"),
    ],
)  # fmt: skip
def test_a_connection_is_a_url_that_starts(server: dict[str, Any], url: str) -> None:
    document, remarks = convert(**server)

    assert url_of(document) == url
    assert remarks == []
    assert problems_of(document) == []


@pytest.mark.parametrize("scheme", [None, "", "tcp", "redis"])
def test_a_plain_connection_is_settings_of_the_database(scheme: str | None) -> None:
    document, remarks = convert(host="r.io", port="7", password="p", database=2, scheme=scheme)

    assert document["database"]["redis"] == {"host": "r.io", "port": 7, "password": "p", "db": 2}
    assert (url_of(document), remarks) == (None, [])


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ({"url": "http://r.io"}, "scheme"),
        ({"url": 5.5}, "url"),
        ({"url": ["tls://r.io"]}, "url"),
        ({"url": "redis://r.io:x"}, "url"),
        ({"url": "redis://r.io/two"}, "url"),
        ({"url": "redis://:pa#ss@r.io"}, "url"),
        ({"url": "redis://[r.io"}, "url"),
        ({"host": "r.io", "scheme": "starttls"}, "scheme"),
        ({"host": "r.io", "scheme": True}, "scheme"),
        ({"host": ["r.io"], "scheme": "tls"}, "host"),
        ({"host": "r.io", "scheme": "tls", "port": "x"}, "port"),
        ({"url": "unix:///s", "scheme": "tls"}, "scheme"),
    ],
)
def test_a_connection_that_cannot_be_read_starts_no_server(server: dict[str, Any], name: str) -> None:
    document, remarks = convert(**server)

    assert [remark.partition(": ")[0] for remark in remarks] == [f"server.{name}"]
    assert [problem.partition(": ")[0] for problem in problems_of(document)] == ["adapter.redis.redis_pub_options.url"]


def test_other_parameters_of_a_url_are_named() -> None:
    document, remarks = convert(url="tls://r.io?timeout=5&database=1", options={})

    assert url_of(document) == "rediss://r.io:6379/1"
    assert remarks == [
        "server.options: has no equal among the options of a connection here",
        "server.url: its parameter timeout has no equal here",
    ]


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"REDIS_URL": "tls://:p@r.io:7/1"}, "rediss://:p@r.io:7/1"),
        ({"REDIS_URL": "tcp://r.io"}, "redis://r.io:6379/0"),
        ({"REDIS_URL": "redis://r.io?database=2"}, "redis://r.io:6379/2"),
        ({"REDIS_SCHEME": "tls", "REDIS_HOST": "r.io", "REDIS_PASSWORD": "p"}, "rediss://:p@r.io:6379/0"),
        ({"REDIS_HOST": "tls://r.io"}, "rediss://r.io:6379/0"),
    ],
)
def test_variables_say_it_too(variables: dict[str, str], url: str) -> None:
    draft = from_variables(IDENTITY | {"REVERB_SCALING_ENABLED": "true"} | variables)

    assert url_of(draft.document) == url
    assert draft.remarks == []
    assert problems_of(draft.document) == []


def test_a_variable_that_cannot_be_read_is_named() -> None:
    draft = from_variables(IDENTITY | {"REVERB_SCALING_ENABLED": "true", "REDIS_URL": "redis://r.io:x"})

    assert [remark.key for remark in draft.remarks] == ["REDIS_URL"]


@given(st.sampled_from(["tls", "rediss", "TLS", "ssl"]), st.text(), st.sampled_from(["url", "host"]))
def test_what_asks_for_tls_is_never_plain(scheme: str, rest: str, name: str) -> None:
    document, _ = convert(**{name: f"{scheme}://{rest}"})

    assert url_of(document) == "" or url_of(document).startswith("rediss://")
