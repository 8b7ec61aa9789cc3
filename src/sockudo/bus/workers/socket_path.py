"""Where a worker listens for the other workers of its machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SUFFIX: Final = ".sock"


def socket_path(directory: Path, index: int) -> Path:
    """Return the path of the socket of a worker."""
    return directory / f"{index}{SUFFIX}"
