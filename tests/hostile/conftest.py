"""One server for all attacks of a module: what one leaves behind meets the next."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.clients.attack import Bystander, Target, bystander, under_attack


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server with the default limits."""
    with under_attack(tmp_path_factory.mktemp("target")) as target:
        yield target


@pytest.fixture
async def witness(target: Target) -> AsyncIterator[Bystander]:
    """A bystander who must not notice."""
    async with bystander(target.port) as watching:
        yield watching
    target.check()
