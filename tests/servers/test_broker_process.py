from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.broker_process import BrokerProcess


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A server that runs long before it answers."""
    answers = tmp_path / "answers"
    code = f"import pathlib, time; time.sleep(0.5); pathlib.Path({str(answers)!r}).touch(); time.sleep(600)"
    process = BrokerProcess([sys.executable, "-c", code], tmp_path, answers.exists)
    yield process
    process.kill()


def test_a_server_that_is_still_starting_is_waited_for(slow: BrokerProcess, tmp_path: Path) -> None:
    super(BrokerProcess, slow).start()
    assert slow.is_running
    assert not (tmp_path / "answers").exists()
    slow.ensure()
    assert (tmp_path / "answers").exists()


def test_a_server_that_ended_is_started_again(slow: BrokerProcess, tmp_path: Path) -> None:
    slow.ensure()
    slow.kill()
    (tmp_path / "answers").unlink()
    slow.ensure()
    assert (tmp_path / "answers").exists()
