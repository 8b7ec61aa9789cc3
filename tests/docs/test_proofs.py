"""Every block of code, row of a table and point of a list on the pages has a test, or a reason in proofs.toml."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.docs.test_security_page import named_in
from tests.support.pages import bullets, pages
from tests.support.source import ROOT, report

PROOFS: Final[Mapping[str, Any]] = tomllib.loads(Path(__file__).with_name("proofs.toml").read_text())
# The list of changes is history. test_reference.py writes the list of settings anew, and compares.
LEFT_OUT: Final = ("CHANGELOG.md", "docs/configuration.md")
_FENCE: Final = re.compile(r"^```\w+\n.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^(#+ .+)$", re.MULTILINE)
_TABLE: Final = re.compile(r"^\|.*\n\| ?---.*\n((?:\|.*\n?)+)", re.MULTILINE)
_BLOCK: Final = "(a block)"


def parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield each heading with what is below it up to the next one; a block of code is a mark there."""
    _, *rest = _HEADING.split(_FENCE.sub(_BLOCK, text))
    yield from zip(rest[::2], rest[1::2], strict=True)


def rows(text: str) -> Iterator[str]:
    """Yield the first cells of all rows of the tables in a text."""
    for table in _TABLE.findall(text):
        yield from (row.split("|")[1].strip() for row in table.splitlines())


def blocks(text: str) -> Iterator[str]:
    """Yield a mark for each block in a text."""
    yield from (_BLOCK for _ in range(text.count(_BLOCK)))


# What a page shows -> how it is found below a heading.
KINDS: Final[Mapping[str, Callable[[str], Iterable[str]]]] = {"blocks": blocks, "tables": rows, "statements": bullets}


def unproved(name: str, text: str, proofs: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a page shows without a proof."""
    for (heading, below), (kind, find) in itertools.product(parts(text), KINDS.items()):
        page = proofs[kind].get(name, {})
        proof = page.get(heading, {}) if isinstance(page, dict) else page
        if isinstance(proof, dict):
            yield from (f"{name} {heading}: {one}" for one in find(below) if not one.startswith(tuple(proof)))


def vanished(name: str, text: str, proofs: Mapping[str, Any]) -> Iterator[str]:
    """Yield proofs of what a page does not show."""
    below = dict(parts(text))
    for kind, find in KINDS.items():
        page = proofs[kind].get(name, {})
        for heading, proof in page.items() if isinstance(page, dict) else ():
            found = list(find(below.get(heading, "")))
            if not found:
                yield f"{name} {heading}: none of the {kind}"
            for start in proof if isinstance(proof, dict) else ():
                if not any(one.startswith(start) for one in found):
                    yield f"{name} {heading}: no {start}"


def proofs_of(value: Any) -> Iterator[str]:
    """Yield the tests that are named, at whatever depth; a reason names none."""
    if isinstance(value, dict):
        for one in value.values():
            yield from proofs_of(one)
    elif isinstance(value, list):
        yield from value


def shown() -> dict[str, str]:
    """Return the pages by name."""
    texts = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in pages()}
    return {name: text for name, text in texts.items() if name not in LEFT_OUT}


def test_every_block_and_row_has_a_proof() -> None:
    problems = [problem for name, text in shown().items() for problem in unproved(name, text, PROOFS)]
    assert not problems, report(problems)


def test_every_proof_is_of_something_shown() -> None:
    texts = shown()
    names = {name for kind in KINDS for name in PROOFS[kind]}
    assert names <= set(texts)
    problems = [problem for name in names for problem in vanished(name, texts[name], PROOFS)]
    assert not problems, report(problems)


def test_every_test_named_exists() -> None:
    there: dict[str, set[str]] = {}
    problems = []
    for proof in sorted({*proofs_of(PROOFS)}):
        file, _, test = proof.partition("::")
        path = ROOT / "tests" / file
        if file not in there:
            there[file] = named_in(path) if path.is_file() else set()
        if not there[file] or (test and test not in there[file]):
            problems.append(proof)
    assert not problems, report(problems)


def test_what_has_no_proof_is_found() -> None:
    text = "# A\n\n```sh\nls\n```\n\n## B\n\n| x | y |\n|---|---|\n| one | 1 |\n| two | 2 |\n\n* a\n  b\n"
    proofs = {"blocks": {"p.md": {"## B": []}}, "tables": {"p.md": {"## B": {"one": [], "six": []}}}, "statements": {}}
    assert list(unproved("p.md", text, proofs)) == ["p.md # A: (a block)", "p.md ## B: two", "p.md ## B: a b"]
    assert list(vanished("p.md", text, proofs)) == ["p.md ## B: none of the blocks", "p.md ## B: no six"]
