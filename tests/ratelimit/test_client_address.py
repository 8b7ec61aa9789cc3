from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.ratelimit.client_address import client_ip, plain_address

PEER = "198.51.100.1"
GARBAGE = [
    "unknown",
    "203.0.113.256",
    "203.0.113.9:",
    "203.0.113.9:http",
    "[203.0.113.9",
    "[2001:db8::1]:http",
    "[2001:db8::1]4711",
    "fe80::1%eth0",
    "[fe80::1%eth0]:80",
    "_hidden",
    "for=203.0.113.9",
    "9" * 5000,
]


def test_without_trusted_hops_no_header_is_believed() -> None:
    assert client_ip(PEER, "203.0.113.9", "203.0.113.8", 0) == PEER
    assert client_ip(PEER, "203.0.113.9", "203.0.113.8", -1) == PEER


@pytest.mark.parametrize(
    ("trust_hops", "expected"),
    [(1, "203.0.113.3"), (2, "203.0.113.2"), (3, "203.0.113.1"), (4, "203.0.113.1"), (1000, "203.0.113.1")],
)
def test_trusted_hops_are_counted_from_the_end(trust_hops: int, expected: str) -> None:
    assert client_ip(PEER, "203.0.113.1, 203.0.113.2,203.0.113.3", None, trust_hops) == expected


def test_entries_a_client_puts_before_the_proxies_change_nothing() -> None:
    assert client_ip(PEER, "10.0.0.1, whatever, 203.0.113.7", None, 1) == "203.0.113.7"


@pytest.mark.parametrize("forwarded_for", [" ", ",", *GARBAGE])
def test_an_entry_that_is_no_address_counts_as_its_proxy(forwarded_for: str) -> None:
    assert client_ip(PEER, forwarded_for, "203.0.113.8", 1) == PEER
    assert client_ip(PEER, forwarded_for, None, 1) == PEER


@pytest.mark.parametrize("forwarded_for", [None, ""])
def test_x_real_ip_counts_where_nothing_was_forwarded(forwarded_for: str | None) -> None:
    assert client_ip(PEER, forwarded_for, "203.0.113.8", 1) == "203.0.113.8"


@pytest.mark.parametrize(
    ("entry", "counted"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("[2001:db8::1]:4711", "2001:db8::/64"),
        ("[::ffff:203.0.113.9]:4711", "203.0.113.9"),
    ],
)
def test_the_port_of_an_entry_is_no_part_of_it(entry: str, counted: str) -> None:
    assert client_ip(PEER, f"203.0.113.1, {entry}", None, 1) == counted
    assert client_ip(PEER, None, entry, 1) == counted


def test_all_addresses_of_an_ipv6_network_are_one_client() -> None:
    peers = [f"2001:db8:0:7::{number:x}" for number in range(100)] + ["2001:db8:0:7:ffff:ffff:ffff:ffff"]
    assert {client_ip(peer, None, None, 0) for peer in peers} == {"2001:db8:0:7::/64"}
    assert {client_ip(PEER, peer, None, 1) for peer in peers} == {"2001:db8:0:7::/64"}
    assert client_ip("2001:db8:0:8::1", None, None, 0) == "2001:db8:0:8::/64"


@pytest.mark.parametrize(
    ("prefix", "counted"), [(48, "2001:db8:1::/48"), (56, "2001:db8:1::/56"), (128, "2001:db8:1::7"), (1, "::/1")]
)
def test_the_size_of_an_ipv6_network_is_a_setting(prefix: int, counted: str) -> None:
    assert client_ip("2001:db8:1::7", None, None, 0, prefix) == counted


@pytest.mark.parametrize("prefix", [1, 64, 96, 128])
@pytest.mark.parametrize("peer", ["::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1"])
def test_an_ipv4_address_within_ipv6_is_that_address(peer: str, prefix: int) -> None:
    assert client_ip(peer, None, None, 0, prefix) == "192.0.2.1"
    assert client_ip(PEER, peer, None, 1, prefix) == "192.0.2.1"
    assert plain_address(peer) == "192.0.2.1"


def test_a_plain_address_keeps_what_is_none() -> None:
    assert plain_address("2001:DB8::1") == "2001:db8::1"
    assert plain_address("nonsense") == "nonsense"


def test_only_the_entry_that_counts_is_looked_at() -> None:
    assert client_ip(PEER, "203.0.113.1, unknown", None, 1) == PEER


def test_x_forwarded_for_comes_before_x_real_ip() -> None:
    assert client_ip(PEER, "203.0.113.9", "203.0.113.8", 1) == "203.0.113.9"


@pytest.mark.parametrize("real_ip", ["", "203.0.113.8, 203.0.113.9", *GARBAGE])
def test_an_x_real_ip_that_is_no_address_is_ignored(real_ip: str) -> None:
    assert client_ip(PEER, None, real_ip, 1) == PEER


def test_white_space_around_an_address_is_not_part_of_it() -> None:
    assert client_ip(PEER, "203.0.113.1,\t203.0.113.2 ", None, 1) == "203.0.113.2"
    assert client_ip(PEER, None, " 203.0.113.8 ", 1) == "203.0.113.8"


def test_an_address_has_one_spelling() -> None:
    assert client_ip(PEER, "2001:DB8:0:0:0:0:0:1", None, 1) == "2001:db8::/64"
    assert client_ip(PEER, None, "2001:db8:0::0:1", 1) == "2001:db8::/64"
    assert client_ip("2001:0db8::1", None, None, 0) == "2001:db8::/64"


def test_a_link_local_peer_keeps_the_name_of_its_link() -> None:
    assert client_ip("fe80::1%eth0", None, None, 0) == "fe80::/64%eth0"


@pytest.mark.parametrize("peer", [None, "", "/run/client.sock", "localhost", "fe80::1%" + "e" * 5000])
def test_a_peer_without_an_address_is_unknown(peer: str | None) -> None:
    assert client_ip(peer, None, None, 0) == "unknown_ip"
    assert client_ip(peer, "nonsense", "nonsense", 1) == "unknown_ip"


def test_a_proxy_on_a_unix_socket_can_name_the_client() -> None:
    assert client_ip(None, "203.0.113.9", None, 1) == "203.0.113.9"


@given(st.text() | st.none(), st.text() | st.none(), st.text() | st.none(), st.integers())
def test_any_header_gives_a_short_answer(
    peer: str | None, forwarded_for: str | None, real_ip: str | None, trust_hops: int
) -> None:
    assert 0 < len(client_ip(peer, forwarded_for, real_ip, trust_hops)) <= 64


@given(st.ip_addresses(), st.integers(1, 5), st.lists(st.text(alphabet="0123456789abcdef.:, "), max_size=4))
def test_no_prefix_sent_by_a_client_hides_its_address(address: object, hops: int, prefix: list[str]) -> None:
    behind = ["192.0.2.1"] * (hops - 1)
    assert client_ip(PEER, ",".join([*prefix, str(address), *behind]), None, hops, 128) == plain_address(str(address))
