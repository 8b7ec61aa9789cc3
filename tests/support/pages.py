"""The project's documentation as data: pages, their code, links and headings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from tests.support.source import ROOT

_Test = TypeVar("_Test", bound=Callable[..., Any])

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block of code."""

    language: str
    text: str


def pages(root: Path = ROOT) -> list[Path]:
    """Return every page: those beside the README and those in docs."""
    return sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")])


def code_blocks(page: Path, language: str | None = None) -> list[Block]:
    """Return the fenced blocks of a page in order, of one language or all."""
    found = [Block(*match.groups()) for match in _FENCE.finditer(page.read_text(encoding="utf-8"))]
    return [block for block in found if language in (None, block.language)]


def the_block(page: Path, language: str, having: str) -> str:
    """Return the text of the one block of a language that has some text in it."""
    (found,) = [block.text for block in code_blocks(page, language) if having in block.text]
    return found


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    """Yield the targets of a page's links."""
    yield from _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """Return the names by which the headings of a page can be linked to."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(page: Path, heading: str) -> str:
    """Return what is below a heading, up to the next heading of the same or a higher level."""
    text = page.read_text(encoding="utf-8")
    level = heading.partition(" ")[0]
    start = text.index(f"\n{heading}\n") + len(heading) + 2
    following = re.compile(rf"^#{{1,{len(level)}}} ", re.MULTILINE).search(text, start)
    return text[start : following.start() if following else None]


def bullets(text: str) -> list[str]:
    """Return the points of every list in a text, each as one line."""
    found: list[str] = []
    for line in text.splitlines():
        if line.startswith("* "):
            found.append(line[2:])
        elif line.startswith("  ") and found:
            found[-1] += f" {line.strip()}"
    return found


def table_rows(text: str) -> list[list[str]]:
    """Return the cells of the rows of every table in a text, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {number for number, line in enumerate(lines[1:]) if line.startswith("| ---")}
    kept = [line for number, line in enumerate(lines) if number not in heads and number - 1 not in heads]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in kept]


class Claims:
    """The points of the lists below a heading, each of which a test proves, or more than one."""

    def __init__(self, page: Path, heading: str) -> None:
        self._points = bullets(section(page, heading))
        self._proved: set[str] = set()

    def proves(self, *starts: str) -> Callable[[_Test], _Test]:
        """Mark a test as the proof of the points that begin with these texts."""
        self._proved.update(starts)
        return lambda test: test

    def unproved(self) -> list[str]:
        """Return the points that no test proves."""
        return [point for point in self._points if not point.startswith(tuple(self._proved))]

    def vanished(self) -> list[str]:
        """Return the beginnings of points that are no longer there."""
        return [start for start in self._proved if not any(point.startswith(start) for point in self._points)]
