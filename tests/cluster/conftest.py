"""What tests of several drivers need."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def socket_directory() -> Iterator[Path]:
    """A directory with a short name: the address of a unix socket is limited to about a hundred bytes."""
    path = Path(tempfile.mkdtemp(prefix="ipc-"))
    yield path
    shutil.rmtree(path)
