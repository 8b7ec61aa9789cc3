"""The lines that a server has logged as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sockudo import log


def lines_of(text: str, message: str = "") -> list[dict[str, Any]]:
    """Return the lines of a text that are JSON, those with a message where one is given."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in found if message in ("", line["message"])]


class LogFile:
    """What a server process has logged so far."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "server.log"

    def lines(self, message: str = "") -> list[dict[str, Any]]:
        """Return the lines, those with a message where one is given."""
        return lines_of(self.text, message)

    @property
    def text(self) -> str:
        """Everything."""
        return self._path.read_text()


class CapturedLog:
    """What this process has logged so far."""

    def __init__(self, capture: pytest.CaptureFixture[str], level: str = "info") -> None:
        self._capture = capture
        self._text = ""
        log.configure(level=level, output_format="json")

    def lines(self, message: str = "") -> Sequence[dict[str, Any]]:
        """Return the lines, those with a message where one is given."""
        return lines_of(self.text, message)

    @property
    def text(self) -> str:
        """Everything."""
        log.flush()
        self._text += self._capture.readouterr().out
        return self._text
