"""The server that scenarios run against."""

from __future__ import annotations

import pytest

from tests.servers.nodes import Serve, one_node
from tests.servers.topologies import TOPOLOGIES


@pytest.fixture(params=TOPOLOGIES)
def serve(request: pytest.FixtureRequest) -> Serve:
    """Each way to serve: every scenario holds for all of them."""
    return TOPOLOGIES[request.param](request)


@pytest.fixture
def serve_alone() -> Serve:
    """One node, for what each node counts by itself (the limits of the memory driver)."""
    return one_node
