"""docs/architecture.md describes the code as it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.support.pages import section, table_rows, the_block
from tests.support.source import ROOT, SRC, Module, read_modules, report, write_tree

PAGE: Final = ROOT / "docs/architecture.md"

# `hub/hub.py` `Hub.deliver`; the second may be on the next line.
_STEP: Final = re.compile(r"`([\w/]+\.py)`\s+`(\w+(?:\.\w+)?)`")


def existing_rooms(folder: Path) -> list[str]:
    """Return the folders with code below a folder, each with a slash at its end, and the files beside them."""
    rooms = {f"{path.parent.relative_to(folder)}/" for path in folder.rglob("*.py")} - {"./"}
    return sorted(rooms) + sorted(path.name for path in folder.glob("*.py") if path.name != "__init__.py")


def wrong_steps(text: str, modules: Mapping[str, Module]) -> Iterator[str]:
    """Yield steps of a journey that name a function or class which is not in that file."""
    for file, name in _STEP.findall(text):
        module = modules.get("sockudo." + file.removesuffix(".py").replace("/", "."))
        if module is None or name not in _definitions(module):
            yield f"{file}: {name}"


def _definitions(module: Module) -> set[str]:
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = set()
    for node in module.tree.body:
        if isinstance(node, kinds):
            found.add(node.name)
            if isinstance(node, ast.ClassDef):
                found |= {f"{node.name}.{child.name}" for child in node.body if isinstance(child, kinds)}
    return found


def test_the_list_names_every_room_in_order_and_no_other() -> None:
    listed = [line.split()[0] for line in the_block(PAGE, "text", "hub/").splitlines()]
    assert listed == existing_rooms(SRC / "sockudo")


def test_every_room_has_a_few_words() -> None:
    for line in the_block(PAGE, "text", "hub/").splitlines():
        assert len(line.split()) > 2, line


def test_every_step_of_a_journey_exists() -> None:
    journeys = section(PAGE, "## Five journeys")
    assert len(_STEP.findall(journeys)) > 30
    problems = list(wrong_steps(journeys, read_modules(SRC)))
    assert not problems, report(problems)


def test_the_index_says_what_decides_when_each_part_is_away() -> None:
    index = section(PAGE, "## When a store or a bus is away")
    rows = table_rows(index)
    assert [row[0] for row in rows] == ["bus", "cache", "queue", "rate limiter", "database of apps", "webhook endpoint"]
    assert all(seen and _STEP.search(decides) for _, seen, decides in rows)
    problems = list(wrong_steps(index, read_modules(SRC)))
    assert not problems, report(problems)


def test_every_file_mentioned_exists() -> None:
    names = set(re.findall(r"`((?:\w+/)+\w+\.py)`", PAGE.read_text(encoding="utf-8")))
    assert [name for name in names if not (SRC / "sockudo" / name).exists() and not (ROOT / name).exists()] == []


def test_a_missing_file_and_a_wrong_step_are_found(tmp_path: Path) -> None:
    write_tree(
        tmp_path, {"sockudo/__init__.py": "", "sockudo/hub/__init__.py": "", "sockudo/hub/hub.py": "class Hub: ...\n"}
    )
    assert existing_rooms(tmp_path / "sockudo") == ["hub/"]
    text = "`hub/hub.py` `Hub`, then `hub/hub.py`\n   `Hub.deliver`, then `hub/gone.py` `gone`"
    assert list(wrong_steps(text, read_modules(tmp_path))) == ["hub/hub.py: Hub.deliver", "hub/gone.py: gone"]
