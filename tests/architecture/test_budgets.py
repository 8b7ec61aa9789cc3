"""Files and functions stay small, everything public says what it does, and nothing is silenced without a reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.support.source import ROOT, SRC, Module, read_modules, report, write_tree

LONGEST_FILE: Final = 400
LONGEST_FUNCTION: Final = 45

LEFT_OVER: Final = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
SUPPRESSION: Final = re.compile(r"#\s*(type:\s*ignore|noqa)")
# The rule that is silenced, then why.
WITH_REASON: Final = re.compile(r"#\s*(type:\s*ignore\[[\w, -]+\]|noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*)\s+[#-]+ .*\w{3}")

# Methods that a library calls, described in its documentation.
CALLBACKS: Final = frozenset(
    {
        "connection_made",
        "connection_lost",
        "data_received",
        "pause_writing",
        "resume_writing",
        "on_message_begin",
        "on_url",
        "on_header",
        "on_headers_complete",
        "on_body",
        "on_message_complete",
    }
)


def too_long(modules: Mapping[str, Module]) -> Iterator[str]:
    """Yield files and functions over their budget."""
    for module in modules.values():
        lines = len(module.text.splitlines())
        if lines > LONGEST_FILE:
            yield f"{module.name} has {lines} lines, the limit is {LONGEST_FILE}"
        for function in module.functions():
            lines = module.code_lines(function)
            if lines > LONGEST_FUNCTION:
                yield f"{module.name}.{function.name} has {lines} lines of code, the limit is {LONGEST_FUNCTION}"


def left_over(modules: Mapping[str, Module]) -> Iterator[str]:
    """Yield comments that put something off."""
    for module in modules.values():
        for line, comment in module.comments():
            if LEFT_OVER.search(comment):
                yield f"{module.path}:{line} {comment}"


def silenced_without_reason(modules: Mapping[str, Module]) -> Iterator[str]:
    """Yield suppressions that do not name their rule and say why on the same line."""
    for module in modules.values():
        for line, comment in module.comments():
            if SUPPRESSION.search(comment) and not WITH_REASON.search(comment):
                yield f"{module.path}:{line} {comment}"


def undocumented(modules: Mapping[str, Module]) -> Iterator[str]:
    """Yield modules with code, public classes and public functions that have no docstring.

    A method is documented where its interface is: in a base class, or in a protocol that its class fulfils.
    """
    classes = [node for module in modules.values() for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    for module in modules.values():
        if module.text and ast.get_docstring(module.tree) is None:
            yield module.name
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                if ast.get_docstring(node) is None:
                    yield f"{module.name}.{node.name}"
                described = set(_described(_interfaces(node, classes))) | CALLBACKS
                names = (name for name in _public_without_docstring(node.body) if name not in described)
                yield from (f"{module.name}.{node.name}.{name}" for name in names)
        yield from (f"{module.name}.{name}" for name in _public_without_docstring(module.tree.body))


def _public_without_docstring(body: Iterable[ast.stmt]) -> Iterator[str]:
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None:
            yield node.name


def _interfaces(node: ast.ClassDef, classes: Iterable[ast.ClassDef]) -> Iterator[ast.ClassDef]:
    bases, methods = _bases(node), set(_methods(node))
    for other in classes:
        if other.name in bases:
            yield other
            yield from _interfaces(other, classes)
        elif "Protocol" in _bases(other) and set(_methods(other)) <= methods:
            yield other


def _bases(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).partition("[")[0] for base in node.bases}


def _methods(node: ast.ClassDef) -> Iterator[str]:
    return (child.name for child in node.body if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def _described(classes: Iterable[ast.ClassDef]) -> Iterator[str]:
    for node in classes:
        for child in node.body:
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(child) is not None:
                yield child.name


def all_python() -> dict[str, Module]:
    """Return the modules of every folder of the project that has code."""
    folders = ("src", "tests", "benchmarks")
    return {f"{folder}/{name}": one for folder in folders for name, one in read_modules(ROOT / folder).items()}


def test_files_and_functions_are_within_their_budget() -> None:
    problems = list(too_long(read_modules(SRC)))
    assert not problems, report(problems)


def test_nothing_is_put_off_in_a_comment() -> None:
    problems = list(left_over(all_python()))
    assert not problems, report(problems)


def test_every_suppression_names_its_rule_and_its_reason() -> None:
    problems = list(silenced_without_reason(all_python()))
    assert not problems, report(problems)


def test_every_module_and_everything_public_in_it_is_documented() -> None:
    problems = list(undocumented(read_modules(SRC)))
    assert not problems, report(problems)


def made_up(folder: Path, text: str) -> dict[str, Module]:
    return read_modules(write_tree(folder, {"thing.py": text}))


def test_a_file_and_a_function_that_are_too_long_are_found(tmp_path: Path) -> None:
    body = "    x = 1\n" * (LONGEST_FUNCTION - 1)
    fits = f'def fits():\n    """Docstrings,\n\n    are not counted."""\n    # nor are comments\n\n{body}'
    assert list(too_long(made_up(tmp_path / "short", fits))) == []
    problems = list(too_long(made_up(tmp_path / "long", f"def over():\n{body}    x = 1\n" + "\n" * LONGEST_FILE)))
    assert [problem.partition(" has ")[0] for problem in problems] == ["thing", "thing.over"]


def test_what_is_put_off_is_found_in_comments_and_not_in_text(tmp_path: Path) -> None:
    marks = ("TODO", "FIXME", "XXX", "HACK")
    text = "".join(f"x = 1  # {mark}: later\ny = '# {mark}'\n" for mark in marks)
    assert len(list(left_over(made_up(tmp_path, text)))) == len(marks)


def test_a_suppression_without_rule_or_reason_is_found(tmp_path: Path) -> None:
    good = "x = 1  # type: ignore[misc]  # the stub is wrong\ny = 1  # noqa: E501 - a URL cannot be broken\n"
    assert list(silenced_without_reason(made_up(tmp_path, good))) == []
    bad = ("type: ignore", "type: ignore[misc]", "noqa", "noqa: E501", "type: ignore # the stub is wrong")
    text = "".join(f"x = 1  # {comment}\n" for comment in bad)
    assert len(list(silenced_without_reason(made_up(tmp_path, text)))) == len(bad)


def test_what_is_not_documented_is_found(tmp_path: Path) -> None:
    text = '''
from typing import Protocol
class Store(Protocol):
    """A store."""
    def get(self):
        """Return it."""
class Driver:
    """Fulfils Store."""
    def get(self): ...
    def extra(self): ...
    def connection_made(self): ...
class Heir(Driver):
    """Has Driver's methods."""
    def get(self): ...
class Bare:
    def _private(self): ...
def loose(): ...
def _private(): ...
'''
    found = list(undocumented(made_up(tmp_path, text)))
    assert found == ["thing", "thing.Driver.extra", "thing.Bare", "thing.loose"]
