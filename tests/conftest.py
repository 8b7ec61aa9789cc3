"""What every test starts from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _fresh_log() -> Iterator[None]:
    """Let no test inherit the log set-up of another, with the output that was captured then."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
