"""The log lines that the documentation lists are those of the code."""

from __future__ import annotations

import re
from typing import Final

from tests.support.pages import section
from tests.support.source import ROOT, SRC, read_modules

PAGE: Final = ROOT / "docs/deployment.md"
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
