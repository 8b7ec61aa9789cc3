"""The server that the client tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.libraries.apps import APP, DISABLED_APP
from tests.servers.server import ServerProcess, server_process


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Run `sockudo serve` for all tests of this package; they use channels of their own."""
    with server_process(tmp_path_factory.mktemp("server"), APP, DISABLED_APP) as process:
        yield process
