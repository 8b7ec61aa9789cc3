"""Hosts: what is one, and what an error says of what is none."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from sockudo.errors import ConfigError

from .conftest import Load, Problems, document_with

LISTENING = ["host", "metrics.host"]
DATABASES = ["database.mysql.host", "database.postgres.host"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("0.0.0.0", "0.0.0.0"),
        ("::", "::"),
        ("[::]", "::"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        (" localhost ", "localhost"),
        ("127.1", "127.1"),
        ("0", "0"),
        ("my_host-1.example.", "my_host-1.example."),
        ("b\u00fccher.example", "b\u00fccher.example"),
        ("1.2.3.4.example", "1.2.3.4.example"),
    ],
)
@pytest.mark.parametrize("path", LISTENING + DATABASES)
def test_a_host_is_kept_without_blanks_and_brackets(path: str, written: str, kept: str, load_document: Load) -> None:
    value: Any = load_document(document_with(path, written)).settings
    for name in path.split("."):
        value = getattr(value, name)

    assert value == kept


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("0.0.0.0:6001", "has a port: write it into the setting port"),
        ("[::]:6001", "has a port: write it into the setting port"),
        ("localhost:http", "has a port: write it into the setting port"),
        ("$${HOST}", "has a character that no host has"),
        ("*", "has a character that no host has"),
        ("a b", "has a character that no host has"),
        ("0.0.0.0, ::", "is no address of IPv6"),
        ("0.0.0.0,1.1.1.1", "has a character that no host has"),
        ("256.1.1.1", "is no address of IPv4"),
        ("1.2.3.4.5", "is no address of IPv4"),
        ("[::", "has a bracket without its pair"),
        ("[localhost]", "is no address of IPv6"),
        ("::g", "is no address of IPv6"),
        ("example.com/path", "has a path: write the host alone"),
        ("a..b", "is a name that no host can have"),
    ],
)
@pytest.mark.parametrize("path", LISTENING + DATABASES)
def test_an_unusable_host_is_refused_with_its_reason(path: str, host: str, why: str, problems_of: Problems) -> None:
    (problem,) = problems_of(document_with(path, host))

    shown = host.replace("$$", "$")
    assert problem == (
        f'{path}: expected the name or address of a host, without a scheme or a login, got "{shown}": it {why}'
    )


def test_a_variable_with_a_host_and_a_port_is_refused(problems_of: Problems) -> None:
    (problem,) = problems_of({}, {"HOST": "0.0.0.0:6001"})

    assert problem.startswith("HOST (host): expected the name")
    assert problem.endswith('got "0.0.0.0:6001": it has a port: write it into the setting port')


@pytest.mark.parametrize("path", DATABASES)
def test_a_database_may_have_a_socket_in_the_file_system(path: str, load_document: Load) -> None:
    load_document(document_with(path, "/run/postgresql"))


@pytest.mark.parametrize("path", LISTENING)
def test_a_server_does_not_listen_on_a_path(path: str, problems_of: Problems) -> None:
    assert problems_of(document_with(path, "/run/x"))[0].endswith("it is a path")


@pytest.mark.parametrize(("host", "is_right"), [("h:26379", True), ("[::1]:1", True), ("::1", True), ("h:x", False)])
def test_a_sentinel_has_its_port_behind_its_host(host: str, is_right: bool, load_document: Load) -> None:
    document = document_with("adapter.redis.redis_pub_options.sentinel.hosts", [host])
    if is_right:
        load_document(document)
    else:
        with pytest.raises(ConfigError, match="has a port that is not a number"):
            load_document(document)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "127.1"])
def test_what_is_taken_can_be_listened_on(host: str, load_document: Load) -> None:
    kept = load_document({"host": host}).settings.host

    assert socket.getaddrinfo(kept, 0, type=socket.SOCK_STREAM)
