"""The sockets that a supervisor opens for its workers."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from sockudo.supervisor.listening import listeners as module
from sockudo.supervisor.listening.listeners import (
    CAN_BALANCE,
    ListenError,
    Sockets,
    close_listeners,
    open_listeners,
    set_aside,
)


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="the machine has no IPv6")
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
def test_each_place_has_its_own_socket_and_share() -> None:
    with listeners("127.0.0.1", 3, balanced=True) as places:
        clients = connect(places[0][0].getsockname(), 300)
        counts = [accepted(sockets) for sockets in places]
        assert sum(counts) == 300
        assert min(counts) > 50
        for client in clients:
            client.close()


@needs_balance
def test_a_place_set_aside_gets_nothing_until_it_listens_again() -> None:
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
            with pytest.raises(ListenError, match="in use"):
                open_listeners("127.0.0.1", port, 2, balanced=also)


def test_a_host_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(ListenError, match=r"cannot listen on 192\.0\.2\.1:0 \(host, port\)"):
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


def without_ipv6(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let this machine have no IPv6."""
    bind = module._bind

    def refuse(target: module._Target, *, reuse_port: bool = False) -> socket.socket:
        if target.family == socket.AF_INET6:
            raise OSError(code, "no IPv6")
        return bind(target, reuse_port=reuse_port)

    monkeypatch.setattr(module, "_bind", refuse)


@needs_ipv6
def test_an_ipv6_address_leaves_ipv4_alone() -> None:
    with listeners("::1", 2, balanced=CAN_BALANCE) as places:
        assert places[0][0].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


@needs_ipv6
@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("host", ["::", "[::]", "0:0:0:0:0:0:0:0"])
def test_an_ipv6_wildcard_takes_both_families(host: str, balanced: bool) -> None:
    with listeners(host, 2, balanced=balanced and CAN_BALANCE) as places:
        port = places[0][0].getsockname()[1]
        clients = connect(("127.0.0.1", port), 3) + connect(("::1", port), 3)
        taken = [accepted(sockets) for sockets in places]
        assert sum(taken) == 6
        for client in clients:
            client.close()


@needs_ipv6
def test_both_wildcards_by_name_are_two_sockets() -> None:
    with listeners("", 1, balanced=False) as places:
        assert {listening.family for listening in places[0]} == {socket.AF_INET, socket.AF_INET6}


@needs_ipv6
def test_an_ipv6_wildcard_is_refused_where_ipv4_is_taken() -> None:
    with listeners("0.0.0.0", 1, balanced=False) as places:
        port = places[0][0].getsockname()[1]
        with pytest.raises(ListenError, match="in use"):
            open_listeners("::", port, 1, balanced=False)


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_without_ipv6_a_wildcard_serves_ipv4_and_says_so(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    without_ipv6(monkeypatch, code)
    with capture_logs() as lines, listeners("::", 2, balanced=CAN_BALANCE) as places:
        assert {listening.getsockname()[0] for sockets in places for listening in sockets} == {"0.0.0.0"}
    assert [line["event"] for line in lines] == ["IPv6 unavailable: the server listens on IPv4 only"]


def test_a_names_absent_address_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    two = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: two)
    without_ipv6(monkeypatch, errno.EADDRNOTAVAIL)
    with capture_logs() as lines, listeners("localhost", 1, balanced=False) as places:
        assert [listening.getsockname()[0] for listening in places[0]] == ["127.0.0.1"]
    assert [line["address"] for line in lines] == ["::1"]


def test_a_name_without_any_present_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    two = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, 0, 0, 0)) for address in ("::1", "fd00::1")]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: two)
    without_ipv6(monkeypatch, errno.EADDRNOTAVAIL)
    with pytest.raises(ListenError, match="no IPv6"):
        open_listeners("localhost", 0, 1, balanced=False)
