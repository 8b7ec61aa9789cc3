"""Names say what is inside, and text speaks to whoever reads this repository, of nothing that only its author sees."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.support.source import ROOT, SRC, Module, read_modules, report, write_tree

VAGUE: Final = re.compile(r"_*(common|general|helpers?|lib|manager\d*|misc|others?|stuff|things?|tools?|utils?|\w+\d$)")
# The longest claim that the name of a test may make, in words.
MOST_WORDS: Final = 10

NOT_OURS: Final = frozenset({".git", ".hypothesis", "build", "dist", "node_modules"})
TEXT: Final = frozenset(
    {"", ".cfg", ".in", ".js", ".json", ".md", ".py", ".sh", ".toml", ".ts", ".txt", ".yaml", ".yml"}
)

# Places that exist on one machine only, documents that are not here, and talk about the work instead of its result.
UNREADABLE: Final = re.compile(
    r"""
      (?-i:/(?:home|root|Users|work)/\w)
    | /tmp/(?!sockudo)\w
    | \bworktrees?\b
    | \.\./shared
    | \b(?:core|decisions|design|style)\.md\b
    | \bas\ (?:requested|discussed|instructed)\b
    | \b(?:per|see)\ (?:the\ )?(?:brief|ticket|plan)\b
    | \bco-authored-by\b
    | \bgenerated\ (?:with|by)\ (?!hand)[A-Z]
    | \b(?:assistant|transcript)s?\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def vague_names(root: Path) -> Iterator[str]:
    """Yield modules and folders whose names say nothing of what is inside."""
    for folder in ("src", "tests", "benchmarks"):
        for name in read_modules(root / folder):
            parts = (part.removeprefix("test_") for part in name.split("."))
            if any(map(VAGUE.fullmatch, parts)):
                yield f"{folder}/{name}"


def named_tests(module: Module) -> Iterator[tuple[str, int]]:
    """Yield the name and the line of each test: of functions, methods, and state machines that are given a name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.startswith("test_"):
            yield node.id, node.lineno


def wordy_tests(root: Path) -> Iterator[str]:
    """Yield tests whose names are longer claims than allowed."""
    for name, module in read_modules(root / "tests").items():
        for test, line in named_tests(module):
            words = len(test.split("_")) - 1
            if words > MOST_WORDS:
                yield f"tests/{name}:{line} {test} has {words} words, more than {MOST_WORDS}"


def twins(modules: Iterable[Module]) -> Iterator[str]:
    """Yield classes of the source that have one name: a reader who searches for it finds two things."""
    found: dict[str, list[str]] = {}
    for module in modules:
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(module.name)
    yield from (f"{name}: {', '.join(sorted(places))}" for name, places in found.items() if len(places) > 1)


def texts(root: Path) -> Iterator[Path]:
    """Yield every text file of the project; what is downloaded or made by tools is not part of it."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in NOT_OURS and not name.endswith(("cache", "__", ".egg-info")) and not name.startswith(".venv")
        )
        yield from (Path(folder, name) for name in sorted(files) if Path(name).suffix in TEXT and name not in NOT_OURS)


def unreadable(root: Path) -> Iterator[str]:
    """Yield lines that a reader of the repository cannot make sense of."""
    for path in texts(root):
        if path.suffix == "" and b"\0" in path.read_bytes():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if path != Path(__file__) and UNREADABLE.search(line):
                yield f"{path.relative_to(root)}:{number} {line.strip()}"


def test_no_module_has_a_vague_name() -> None:
    assert list(vague_names(ROOT)) == []


def test_no_two_classes_have_one_name() -> None:
    problems = list(twins(read_modules(SRC).values()))
    assert not problems, report(problems)


def test_text_refers_only_to_what_its_readers_have() -> None:
    problems = list(unreadable(ROOT))
    assert not problems, report(problems)


def test_every_test_is_named_in_ten_words_at_most() -> None:
    problems = list(wordy_tests(ROOT))
    assert not problems, report(problems)


def test_a_vague_name_is_found(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "src/sockudo/utils.py": "",
            "src/sockudo/common/names.py": "",
            "src/sockudo/manager2.py": "",
            "src/sockudo/app_manager.py": "",
            "tests/test_helpers.py": "",
        },
    )
    assert list(vague_names(tmp_path)) == [
        "src/sockudo.common.names",
        "src/sockudo.manager2",
        "src/sockudo.utils",
        "tests/test_helpers",
    ]


def test_a_test_named_in_eleven_words_is_found(tmp_path: Path) -> None:
    ten, eleven = ("test_" + "_".join("abcdefghijk"[:count]) for count in (10, 11))
    text = f"def {ten}(): ...\nclass TestIt:\n    async def {eleven}(self): ...\n{eleven} = TestIt\n{ten} = {eleven}\n"
    write_tree(tmp_path, {"tests/contracts/queue.py": text})
    assert sorted(wordy_tests(tmp_path)) == [
        f"tests/contracts.queue:{line} {eleven} has 11 words, more than 10" for line in (3, 4)
    ]


def test_two_classes_of_one_name_are_found(tmp_path: Path) -> None:
    tree = {"sockudo/__init__.py": "", "sockudo/hub.py": "class Line: ...\n", "sockudo/node.py": "class Line: ...\n"}
    modules = read_modules(write_tree(tmp_path, tree))
    assert list(twins(modules.values())) == ["Line: sockudo.hub, sockudo.node"]


def test_a_line_that_only_its_author_understands_is_found(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "docs/page.md": "Put it into /tmp/sockudo.sock.\nIt is in /home/somebody/server.\nSee design.md.\n",
            "src/page.py": "# As discussed, it is fast.\n",
            "node_modules/x.md": "/home/x\n",
            "Makefile": "all:\n\tcp /root/x .\n",
        },
    )
    assert list(unreadable(tmp_path)) == [
        "Makefile:2 cp /root/x .",
        "docs/page.md:2 It is in /home/somebody/server.",
        "docs/page.md:3 See design.md.",
        "src/page.py:1 # As discussed, it is fast.",
    ]
