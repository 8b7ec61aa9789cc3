"""The URL of a Redis, and what stands beside it."""

from __future__ import annotations

import pytest

from sockudo.redis.options import RedisTarget
from sockudo.redis.server import server_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://h", ("h", 6379, None)),
        ("redis://h:7000/3", ("h", 7000, None)),
        ("redis://", ("127.0.0.1", 6379, None)),
        ("redis://[::1]:7000", ("::1", 7000, None)),
        ("unix:///run/redis.sock", ("127.0.0.1", 6379, "/run/redis.sock")),
    ],
)
def test_a_url_names_a_place(url: str, place: tuple[str, int, str | None]) -> None:
    server = server_of(RedisTarget(url))
    assert (server.host, server.port, server.path) == place
    assert server.tls is None


def test_an_address_is_written_as_urls_have_it() -> None:
    names = [server_of(RedisTarget(url)).name for url in ("redis://h", "redis://[::1]:1", "unix:///s")]
    assert names == ["h:6379", "[::1]:1", "/s"]


@pytest.mark.parametrize(
    ("url", "username", "password", "login"),
    [
        ("redis://h", None, None, (None, None)),
        ("redis://h", "u", "p", ("u", "p")),
        ("redis://:own@h", None, "p", (None, "own")),
        ("redis://me:own@h", "u", "p", ("me", "own")),
        ("redis://me@h", "u", "p", ("me", "p")),
        # Not the user of one place with the password of another.
        ("redis://:own@h", "u", "p", (None, "own")),
        ("redis://m%40e:o%3Awn@h", None, None, ("m@e", "o:wn")),
    ],
)
def test_the_login_of_the_url_comes_first(
    url: str, username: str | None, password: str | None, login: tuple[str | None, str | None]
) -> None:
    server = server_of(RedisTarget(url, username=username, password=password))
    assert (server.username, server.password) == login


@pytest.mark.parametrize(("url", "db"), [("redis://h", 4), ("redis://h/2", 2), ("redis://h?db=3", 3)])
def test_the_database_of_the_url_comes_first(url: str, db: int) -> None:
    assert server_of(RedisTarget(url, db=4)).db == db


def test_tls_checks_certificates_unless_told_otherwise() -> None:
    contexts = [
        server_of(RedisTarget(f"rediss://h{query}")).tls
        for query in ("", "?ssl_cert_reqs=none", "?ssl_check_hostname=false")
    ]
    assert [(context.check_hostname, context.verify_mode.name) for context in contexts if context is not None] == [
        (True, "CERT_REQUIRED"),
        (False, "CERT_NONE"),
        (False, "CERT_REQUIRED"),
    ]
