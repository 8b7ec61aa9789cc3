"""Makes socket ids of the form `digits.digits`, unique and hard to guess."""

from __future__ import annotations

import os
from typing import Final

_HALF: Final = 5
_LARGEST: Final = 10_000_000_000
# A system call for each connection would be a tenth of what connecting costs.
_POOL_BYTES: Final = 2 * _HALF * 256

_pool = b""


def new_socket_id() -> str:
    """Return two independent random numbers, each from 0 to 10^10, joined by a dot."""
    global _pool
    if not _pool:
        _pool = os.urandom(_POOL_BYTES)
    random, _pool = _pool[: 2 * _HALF], _pool[2 * _HALF :]
    first, second = int.from_bytes(random[:_HALF]), int.from_bytes(random[_HALF:])
    return f"{first % (_LARGEST + 1)}.{second % (_LARGEST + 1)}"
