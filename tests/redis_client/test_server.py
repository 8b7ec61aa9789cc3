"""The URL of a Redis, and what stands beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockudo.errors import DriverError
from sockudo.redis_client.options import RedisTarget, RedisTiming
from sockudo.redis_client.server import connect, server_of
from tests.servers.redis_server import RedisProcess, running


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


@pytest.mark.parametrize("login", [":TOPSECRET", "somebody:TOPSECRET"])
async def test_a_server_that_knows_no_login_is_quoted_without_it(tmp_path: Path, login: str) -> None:
    # Redis repeats the arguments of a command that it does not know.
    with (
        running(RedisProcess(tmp_path / "redis", "--rename-command", "AUTH", "")) as redis,
        pytest.raises(DriverError, match="AUTH is refused: ERR unknown command 'AUTH'") as error,
    ):
        await connect(server_of(RedisTarget(f"redis://{login}@127.0.0.1:{redis.port}")), RedisTiming())
    assert "SECRET" not in str(error.value)
    assert "somebody" not in str(error.value)


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example"])
async def test_an_impossible_host_is_an_error_that_names_the_setting(host: str) -> None:
    with pytest.raises(DriverError, match=rf"Redis at {host}:6379 cannot be used \(the setting\): its host .* no name"):
        await connect(server_of(RedisTarget(f"redis://{host}", "the setting")), RedisTiming())
