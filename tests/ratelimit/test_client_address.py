from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.ratelimit.client_address import client_ip

PEER = "198.51.100.1"


def test_without_trusted_hops_no_header_is_believed() -> None:
    assert client_ip(PEER, "203.0.113.9", "203.0.113.8", 0) == PEER
    assert client_ip(PEER, "203.0.113.9", "203.0.113.8", -1) == PEER


@pytest.mark.parametrize(
    ("trust_hops", "expected"),
    [(1, "203.0.113.3"), (2, "203.0.113.2"), (3, "203.0.113.1"), (4, "203.0.113.1"), (1000, "203.0.113.1")],
)
def test_the_client_is_as_many_entries_from_the_end_as_there_are_trusted_hops(trust_hops: int, expected: str) -> None:
    assert client_ip(PEER, "203.0.113.1, 203.0.113.2,203.0.113.3", None, trust_hops) == expected


def test_what_a_client_puts_before_the_entries_of_the_proxies_changes_nothing() -> None:
    assert client_ip(PEER, "10.0.0.1, whatever, 203.0.113.7", None, 1) == "203.0.113.7"


@pytest.mark.parametrize(
    "forwarded_for",
    [None, "", " ", ",", "unknown", "203.0.113.9:4711", "[2001:db8::1]", "203.0.113.256", "fe80::1%eth0", "9" * 5000],
)
def test_an_entry_that_is_not_an_address_is_passed_over(forwarded_for: str | None) -> None:
    assert client_ip(PEER, forwarded_for, "203.0.113.8", 1) == "203.0.113.8"
    assert client_ip(PEER, forwarded_for, None, 1) == PEER


def test_only_the_entry_that_counts_is_looked_at() -> None:
    assert client_ip(PEER, "203.0.113.1, unknown", None, 1) == PEER


def test_x_forwarded_for_comes_before_x_real_ip() -> None:
    assert client_ip(PEER, "203.0.113.9", "203.0.113.8", 1) == "203.0.113.9"


@pytest.mark.parametrize("real_ip", ["", "unknown", "203.0.113.8, 203.0.113.9", "fe80::1%eth0", "9" * 5000])
def test_an_x_real_ip_that_is_not_an_address_is_passed_over(real_ip: str) -> None:
    assert client_ip(PEER, None, real_ip, 1) == PEER


def test_white_space_around_an_address_is_not_part_of_it() -> None:
    assert client_ip(PEER, "203.0.113.1,\t203.0.113.2 ", None, 1) == "203.0.113.2"
    assert client_ip(PEER, None, " 203.0.113.8 ", 1) == "203.0.113.8"


def test_an_address_has_one_spelling() -> None:
    assert client_ip(PEER, "2001:DB8:0:0:0:0:0:1", None, 1) == "2001:db8::1"
    assert client_ip(PEER, None, "2001:db8:0::0:1", 1) == "2001:db8::1"
    assert client_ip("2001:0db8::1", None, None, 0) == "2001:db8::1"


def test_a_peer_on_a_link_keeps_the_name_of_the_link() -> None:
    assert client_ip("fe80::1%eth0", None, None, 0) == "fe80::1%eth0"


@pytest.mark.parametrize("peer", [None, "", "/run/client.sock", "localhost", "fe80::1%" + "e" * 5000])
def test_a_peer_without_an_address_is_unknown(peer: str | None) -> None:
    assert client_ip(peer, None, None, 0) == "unknown_ip"
    assert client_ip(peer, "nonsense", "nonsense", 1) == "unknown_ip"


def test_a_proxy_on_a_unix_socket_can_say_who_the_client_is() -> None:
    assert client_ip(None, "203.0.113.9", None, 1) == "203.0.113.9"


@given(st.text() | st.none(), st.text() | st.none(), st.text() | st.none(), st.integers())
def test_whatever_is_sent_there_is_an_answer_that_is_not_long(
    peer: str | None, forwarded_for: str | None, real_ip: str | None, trust_hops: int
) -> None:
    assert 0 < len(client_ip(peer, forwarded_for, real_ip, trust_hops)) <= 64


@given(st.ip_addresses(), st.integers(1, 5), st.lists(st.text(alphabet="0123456789abcdef.:, "), max_size=4))
def test_no_prefix_sent_by_a_client_hides_its_address(address: object, hops: int, prefix: list[str]) -> None:
    behind = ["192.0.2.1"] * (hops - 1)
    assert client_ip(PEER, ",".join([*prefix, str(address), *behind]), None, hops) == str(address)
