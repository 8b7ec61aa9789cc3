from __future__ import annotations

import pytest

from sockudo.websocket.masking import unmask
from tests.clients.frames import KEY, NO_KEY, mask


@pytest.mark.parametrize("key", [KEY, NO_KEY, b"\xff\xff\xff\xff"])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 125, 4095, 4096, 4097, 10_001])
def test_5_3_unmasking_gives_back_what_was_masked(size: int, key: bytes) -> None:
    payload = bytes(i % 251 for i in range(size))
    assert unmask(mask(payload, key), key) == payload
