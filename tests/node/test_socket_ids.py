from __future__ import annotations

import re

from sockudo.node.socket_ids import new_socket_id


def test_socket_ids_are_two_short_numbers_and_differ() -> None:
    found = [new_socket_id() for _ in range(5000)]
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"\d{1,11}\.\d{1,11}", socket_id) for socket_id in found)
    assert all(int(part) <= 10**10 for socket_id in found for part in socket_id.split("."))


def test_both_numbers_are_spread_over_the_whole_range() -> None:
    for part in (0, 1):
        numbers = [int(new_socket_id().split(".")[part]) for _ in range(2000)]
        assert min(numbers) < 10**9
        assert max(numbers) > 9 * 10**9
