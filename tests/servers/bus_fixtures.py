"""What tests of adapters share, wherever they are."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.broker_process import BrokerProcess


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show the logs of the servers that a failed test used."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, BrokerProcess):
                report.sections.append((f"log of {type(value).__name__}", value.log_tail()))
    return report


@pytest.fixture
def socket_directory() -> Iterator[Path]:
    """A directory with a short name: the address of a unix socket is limited to about a hundred bytes."""
    path = Path(tempfile.mkdtemp(prefix="ipc-"))
    yield path
    shutil.rmtree(path)
