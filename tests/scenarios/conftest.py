"""The server that scenarios run against."""

from __future__ import annotations

import pytest

from tests.support.nodes import TOPOLOGIES, Serve


@pytest.fixture(params=TOPOLOGIES)
def serve(request: pytest.FixtureRequest) -> Serve:
    """Each way to serve: every scenario holds for all of them."""
    name: str = request.param
    return TOPOLOGIES[name]
