"""The buses, and the nodes on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.faults.buses import BUSES, Bus
from tests.faults.fleet import Cluster, running_cluster


@pytest.fixture
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bus]:
    """A bus of one test; which one is the parameter."""
    bus = BUSES[request.param](tmp_path / "broker")
    try:
        bus.broker.start()
        yield bus
    finally:
        bus.broker.stop()


@pytest.fixture
async def cluster(bus: Bus, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Three nodes on it under load."""
    async with running_cluster(tmp_path, bus) as cluster:
        yield cluster
