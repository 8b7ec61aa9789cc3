from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot as slot_by_the_official_library

from sockudo.redis_client.key_slot import SLOTS, key_slot
from tests.support.properties import THOROUGH


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        # The checksum of these digits is the example of the specification: 0x31C3.
        (b"123456789", 0x31C3 % SLOTS),
        (b"{user1000}.following", key_slot(b"user1000")),
        (b"foo{}{bar}", 8363),
        (b"foo{{bar}}zap", key_slot(b"{bar")),
        (b"foo{bar}{zap}", key_slot(b"bar")),
        (b"", 0),
    ],
)
def test_a_slot_is_that_of_the_specification(key: bytes, slot: int) -> None:
    assert key_slot(key) == slot


@THOROUGH
@given(st.binary() | st.text("{}ab", max_size=8).map(str.encode))
def test_a_slot_is_that_of_the_official_library(key: bytes) -> None:
    assert key_slot(key) == slot_by_the_official_library(key)
