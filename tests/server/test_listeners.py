"""The sockets that a supervisor opens for its workers."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from sockudo.server.listeners import CAN_BALANCE, Sockets, close_listeners, open_listeners, set_aside

needs_balance = pytest.mark.skipif(not CAN_BALANCE, reason="the system does not balance")


@contextlib.contextmanager
def listeners(host: str, places: int, *, balanced: bool) -> Iterator[list[Sockets]]:
    opened = open_listeners(host, 0, places, balanced=balanced)
    try:
        yield opened
    finally:
        close_listeners(opened)


def accepted(sockets: Sockets) -> int:
    """How many connections wait."""
    count = 0
    with contextlib.suppress(OSError):
        while True:
            sockets[0].accept()[0].close()
            count += 1
    return count


def connect(address: object, count: int) -> list[socket.socket]:
    assert isinstance(address, tuple)
    return [socket.create_connection(address[:2], timeout=5) for _ in range(count)]


@needs_balance
def test_each_place_has_a_socket_of_its_own_and_gets_its_share() -> None:
    with listeners("127.0.0.1", 3, balanced=True) as places:
        clients = connect(places[0][0].getsockname(), 300)
        counts = [accepted(sockets) for sockets in places]
        assert sum(counts) == 300
        assert min(counts) > 50
        for client in clients:
            client.close()


@needs_balance
def test_a_place_that_is_set_aside_gets_nothing_until_it_listens_again() -> None:
    with listeners("127.0.0.1", 2, balanced=True) as places:
        address = places[0][0].getsockname()
        for aside in places:
            set_aside(aside)
            clients = connect(address, 50)
            assert sum(accepted(sockets) for sockets in places) == 50
            assert aside[0].getsockname() == address
            aside[0].listen(100)
            clients += connect(address, 100)
            assert accepted(aside) > 10
            for sockets in places:
                accepted(sockets)
            for client in clients:
                client.close()


def test_places_that_share_have_the_same_socket() -> None:
    with listeners("127.0.0.1", 3, balanced=False) as places:
        assert len({sockets[0] for sockets in places}) == 1


@pytest.mark.parametrize("balanced", [True, False])
def test_a_port_that_is_taken_is_an_error(balanced: bool) -> None:
    with listeners("127.0.0.1", 2, balanced=balanced) as places:
        port = places[0][0].getsockname()[1]
        for also in (True, False):
            with pytest.raises(OSError, match="in use"):
                open_listeners("127.0.0.1", port, 2, balanced=also)


def test_a_host_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(OSError):
        open_listeners("192.0.2.1", 0, 2, balanced=True)


@pytest.mark.parametrize("balanced", [True, False])
def test_all_addresses_of_a_host_have_one_port(balanced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    two = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: two)
    with listeners("both", 2, balanced=balanced) as places:
        addresses = [listening.getsockname() for listening in places[1]]
        assert [host for host, _ in addresses] == ["127.0.0.1", "127.0.0.2"]
        assert len({port for _, port in addresses}) == 1


def test_ipv6_leaves_ipv4_alone() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        opened = open_listeners("::1", 0, 2, balanced=CAN_BALANCE)
    except OSError:
        pytest.skip("no IPv6 address")
    assert opened[0][0].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    close_listeners(opened)
