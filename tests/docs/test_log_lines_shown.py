"""The log lines that the documentation lists are those of the code."""

from __future__ import annotations

import re
from typing import Final

from tests.support.pages import section, table_rows
from tests.support.source import ROOT, SRC, read_modules

PAGE: Final = ROOT / "docs/deployment.md"
CALL: Final = re.compile(r'\.(debug|info|warning|error)\(\s*f?"([^"]+)"')
# Lines about any part of the server have its name in place of these.
PARTS: Final = re.compile(r"^(?:cache|queue|rate limiter|\.\.\.)(?= (?:unusable|usable again)$)")


def lines_shown() -> list[str]:
    """Return the texts in the first column of the table."""
    rows = re.findall(r"^\| (`[^|]+) \|", section(PAGE, "## The log"), re.MULTILINE)
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row)]


def test_every_log_line_shown_is_in_the_code() -> None:
    code = "".join(module.text for module in read_modules(SRC).values())
    shown = lines_shown()
    assert len(shown) > 30
    assert [line for line in shown if f'"{line}' not in code and PARTS.sub("}", line) not in code] == []


def levels_in_the_code(line: str, calls: list[tuple[str, str]]) -> set[str]:
    """Return the levels of the calls that log a line and name both at once."""
    return {level for level, text in calls if text.startswith(line)}


def test_every_log_line_has_the_level_shown() -> None:
    calls = [call for module in read_modules(SRC).values() for call in CALL.findall(module.text)]
    compared = 0
    for lines, levels, _ in (row for row in table_rows(section(PAGE, "## The log")) if len(row) == 3):
        found = [levels_in_the_code(line, calls) for line in re.findall(r"`([^`]+)`", lines)]
        assert set().union(*found) <= set(levels.split(", ")), lines
        if all(found):
            compared += 1
            assert set().union(*found) == set(levels.split(", ")), lines
    assert compared > 12
