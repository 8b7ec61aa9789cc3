"""What a test does when something it needs is not on this machine."""

from __future__ import annotations

from typing import NoReturn

import pytest

from tests.setup.commands import is_ci


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it under CI, where nothing may go untested."""
    if is_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
