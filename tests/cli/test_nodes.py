"""What `sockudo nodes` prints; `tests/cluster/test_visitors.py` has how it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockudo.cli import nodes
from sockudo.cluster.messages.state import Heartbeat
from sockudo.config.model import Settings

HOST = "a-host-with-a-name-that-is-long-[red]-and-no-markup.example.com"
NODE = Heartbeat(1, False, 0.0, HOST, 4194304, "0.1.0", 0.0, 100_000, 200_000, 300_000, 0.0123)


async def _answers(_settings: Settings, _seconds: float) -> dict[str, Heartbeat]:
    return {"ccfc4bf2edee6024": NODE}


def test_a_narrow_terminal_cuts_no_node(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(nodes, "_ask", _answers)
    nodes.list_nodes(None)
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["node", "host", "process", "version", "age", "connections", "channels", "topics", "lag"]
    assert row.split()[:4] == ["ccfc4bf2edee6024", HOST, "4194304", "0.1.0"]
    assert row.split()[5:] == ["100000", "200000", "300000", "12.3", "ms"]
