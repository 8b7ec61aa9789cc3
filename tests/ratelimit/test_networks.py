"""Networks: which peers are in them."""

from __future__ import annotations

import pytest

from sockudo.ratelimit.networks import Networks

NETWORKS = Networks(["10.0.0.0/8", "192.0.2.1", "fd00::/8", "2001:db8::1/128"])


@pytest.mark.parametrize(
    "peer", ["10.0.0.0", "10.255.255.255", "192.0.2.1", "fd00::1", "2001:db8::1", "::ffff:10.1.2.3", "fd00::1%eth0"]
)
def test_peers_of_a_network_are_in_it(peer: str) -> None:
    assert NETWORKS.holds(peer)


@pytest.mark.parametrize(
    "peer", ["11.0.0.0", "192.0.2.2", "fe80::1", "2001:db8::2", "::ffff:11.0.0.1", "", "host", None]
)
def test_other_peers_are_not(peer: str | None) -> None:
    assert not NETWORKS.holds(peer)


def test_peers_of_a_unix_socket_are_named_by_a_word() -> None:
    assert Networks(["unix"]).holds(None)
    assert not Networks(["unix"]).holds("127.0.0.1")


def test_the_whole_internet_is_a_network() -> None:
    assert all(Networks(["0.0.0.0/0", "::/0"]).holds(peer) for peer in ("1.2.3.4", "::1", "2001:db8::1"))
