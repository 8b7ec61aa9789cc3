"""Everything stays small, everything public says what it does, and nothing is silenced without a reason."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.source import ROOT, SRC, Function, Module, read_modules, report, write_tree

LONGEST_FILE: Final = 400
LONGEST_FUNCTION: Final = 45
MOST_METHODS: Final = 25
# `self` and `cls` are not counted; parameters that are given by name are.
MOST_PARAMETERS: Final = 7
MOST_FILES: Final = 15


class Allowed(NamedTuple):
    """What something that is over its budget may have, and why."""

    most: int
    reason: str


_PARTS: Final = "is given every part that it calls, once, where the server is put together"

# By the name of a folder, a class or a function.
OVER_BUDGET: Final[Mapping[str, Allowed]] = {
    "sockudo.config.sections": Allowed(25, "one file for each section of the settings"),
    "sockudo.node": Allowed(19, "one file for each use case"),
    "sockudo.api.routes.__init__": Allowed(13, _PARTS),
}

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


class Size(NamedTuple):
    """How much there is of something that has a budget."""

    name: str
    amount: int
    limit: int
    unit: str

    def __str__(self) -> str:
        return f"{self.name} has {self.amount} {self.unit}, the limit is {self.limit}"


def sizes(modules: Mapping[str, Module]) -> Iterator[Size]:
    """Yield the size of everything that has a budget."""
    for module in modules.values():
        yield Size(module.name, len(module.text.splitlines()), LONGEST_FILE, "lines")
        for function in module.functions():
            name = f"{module.name}.{function.name}"
            yield Size(name, module.code_lines(function), LONGEST_FUNCTION, "lines of code")
            yield Size(name, _count_parameters(function), MOST_PARAMETERS, "parameters")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                yield Size(f"{module.name}.{node.name}", len(list(_methods(node))), MOST_METHODS, "methods")
    folders = Counter(module.name.rpartition(".")[0] for module in modules.values() if not module.is_package)
    yield from (Size(name, count, MOST_FILES, "files") for name, count in folders.items())


def _count_parameters(function: Function) -> int:
    arguments = function.args
    named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return sum(1 for one in named if one.arg not in ("self", "cls"))


def over_budget(modules: Mapping[str, Module], allowed: Mapping[str, Allowed]) -> Iterator[str]:
    """Yield what is over its budget, and over what the table allows it."""
    for size in sizes(modules):
        most = allowed[size.name].most if size.name in allowed and "lines" not in size.unit else 0
        if size.amount > max(size.limit, most):
            yield str(size)


def stale(modules: Mapping[str, Module], allowed: Mapping[str, Allowed]) -> Iterator[str]:
    """Yield entries of the table that nothing needs any more."""
    needed = {size.name for size in sizes(modules) if size.amount > size.limit}
    yield from (f"{name} is within its budget, or gone" for name in allowed if name not in needed)


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


def test_everything_is_within_its_budget() -> None:
    problems = list(over_budget(read_modules(SRC), OVER_BUDGET))
    assert not problems, report(problems)


def test_the_exceptions_are_over_their_budget() -> None:
    problems = list(stale(read_modules(SRC), OVER_BUDGET))
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


def test_files_and_functions_that_are_too_long_are_found(tmp_path: Path) -> None:
    body = "    x = 1\n" * (LONGEST_FUNCTION - 1)
    fits = f'def fits():\n    """Docstrings,\n\n    are not counted."""\n    # nor are comments\n\n{body}'
    assert list(over_budget(made_up(tmp_path / "short", fits), {})) == []
    long = made_up(tmp_path / "long", f"def over():\n{body}    x = 1\n" + "\n" * LONGEST_FILE)
    # The table is for what may be split by concept; lines are not in it.
    problems = list(over_budget(long, {"thing.over": Allowed(1000, "for the test")}))
    assert [problem.partition(" has ")[0] for problem in problems] == ["thing", "thing.over"]


def test_too_many_parameters_methods_and_files_are_found(tmp_path: Path) -> None:
    def parts(more: int) -> dict[str, Module]:
        names = ", ".join(f"p{number}" for number in range(MOST_PARAMETERS + more))
        methods = "".join(f"    def m{number}(self): ...\n" for number in range(MOST_METHODS - 1 + more))
        text = f"class Thing:\n{methods}    def take(self, *, {names}): ...\n"
        files = {f"room/f{number}.py": "" for number in range(MOST_FILES - 1 + more)}
        return read_modules(write_tree(tmp_path / str(more), {"room/thing.py": text, **files}))

    names = ["room.thing.take", "room.thing.Thing", "room"]
    assert list(over_budget(parts(0), {})) == []
    assert [problem.partition(" has ")[0] for problem in over_budget(parts(1), {})] == names
    allowed = {"room": Allowed(MOST_FILES + 1, "for the test")}
    assert [problem.partition(" has ")[0] for problem in over_budget(parts(1), allowed)] == names[:2]
    assert [problem.partition(" has ")[0] for problem in over_budget(parts(2), allowed)] == names
    assert list(stale(parts(1), allowed)) == []
    assert list(stale(parts(0), allowed)) == ["room is within its budget, or gone"]


def test_postponed_work_is_found_in_comments_but_not_in_text(tmp_path: Path) -> None:
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
