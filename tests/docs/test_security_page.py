"""The threat model names its tests, and they are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.pages import table_rows
from tests.support.source import ROOT, report

PAGE: Final = ROOT / "docs" / "security.md"
_NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
# Who may attack; the page has a table for each.
ATTACKERS: Final = (
    "A stranger on the port of clients",
    "A holder of an app key",
    "A client with a signature",
    "A back end with a secret",
    "A peer on the bus",
    "A reader of logs",
    "Somebody on the port of metrics",
    "A receiver of webhooks",
)


def threats(text: str) -> list[list[str]]:
    """Return the rows of every table but the first, which lists what is protected."""
    _, _, rest = text.partition("\n## A stranger ")
    return table_rows(rest)


def named_in(path: Path) -> set[str]:
    """Return the names of the tests of a file, those in classes included."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)}


def problems(text: str) -> Iterator[str]:
    """Yield lines without a test, and tests that do not exist."""
    for row in threats(text):
        named = _NAMED.findall(row[-1])
        if not named:
            yield f"no test: {row[0]}"
        for name, test in named:
            if not (ROOT / name).is_file() or test not in named_in(ROOT / name):
                yield f"{row[0]}: there is no {name}::{test}"


def test_every_line_of_the_threat_model_names_a_real_test() -> None:
    found = list(problems(PAGE.read_text()))
    assert not found, report(found)


def test_every_attacker_has_a_table_in_the_threat_model() -> None:
    text = PAGE.read_text()
    assert [one for one in ATTACKERS if f"\n## {one}\n" not in text] == []
    assert len(threats(text)) > 70


def test_a_line_without_a_test_is_found() -> None:
    rows = "| a | b | none |\n| c | d | `tests/docs/test_security_page.py::test_nothing_of_this_name` |\n"
    text = "\n## A stranger x\n\n| He | What | Test |\n| --- | --- | --- |\n" + rows
    absent = "tests/docs/test_security_page.py::test_nothing_of_this_name"
    assert list(problems(text)) == ["no test: a", f"c: there is no {absent}"]
