"""The project's own source as data: modules, what they import, where their code is. For tests of its shape."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
SRC: Final = ROOT / "src"

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Imported(NamedTuple):
    """One imported module, by its full name, and the line that does it."""

    name: str
    line: int


@dataclass(frozen=True)
class Module:
    """One file of Python.

    Attributes:
        name: as it is imported; a package has the name of its folder.
    """

    name: str
    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text, str(self.path))

    @cached_property
    def stripped_lines(self) -> list[str]:
        """The lines without their indentation."""
        return [line.strip() for line in self.text.splitlines()]

    @property
    def is_package(self) -> bool:
        """Whether this is the `__init__.py` of a folder."""
        return self.path.name == "__init__.py"

    @property
    def part(self) -> str:
        """What is below the top package: the folder or, beside the folders, the module; "" for the top itself."""
        return [*self.name.split("."), ""][1]

    def imports(self) -> Iterator[Imported]:
        """Yield everything imported anywhere in the file: in functions, for types only, or by name.

        `from a import b` yields `a.b`, whether that is a module or something in one.
        """
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (Imported(alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                origin = self._origin(node)
                yield from (Imported(f"{origin}.{alias.name}", node.lineno) for alias in node.names)
            elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
                first = node.args[0] if node.args else None
                name = first.value if isinstance(first, ast.Constant) else "a name that is not a literal"
                yield Imported(str(name), node.lineno)

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        kept = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*kept, node.module] if node.module else kept)

    def comments(self) -> Iterator[tuple[int, str]]:
        """Yield each comment with its line."""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string

    def functions(self) -> Iterator[Function]:
        """Yield every function and method, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def code_lines(self, function: Function) -> int:
        """Count the lines of a function without blank ones, comments and its docstring."""
        numbers = set(range(function.lineno, (function.end_lineno or function.lineno) + 1))
        if ast.get_docstring(function) is not None:
            docstring = function.body[0]
            numbers -= set(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
        lines = self.stripped_lines
        return sum(1 for number in numbers if lines[number - 1] and not lines[number - 1].startswith("#"))


def read_modules(folder: Path) -> dict[str, Module]:
    """Return every module below a folder by its name, sorted; those of the project are read and parsed once."""
    return dict(_read_once(folder)) if folder.is_relative_to(ROOT) else _read(folder)


def _read(folder: Path) -> dict[str, Module]:
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path, path.read_text(encoding="utf-8"))
    return found


_read_once: Final = cache(_read)


def own_imports(module: Module, modules: Mapping[str, Module]) -> list[Imported]:
    """Return the imports of a module that are modules of the same tree, by the name of the module meant."""
    found = []
    for imported in module.imports():
        name = imported.name
        while name and name not in modules:
            name = name.rpartition(".")[0]
        if name:
            found.append(Imported(name, imported.line))
    return found


def write_tree(folder: Path, files: Mapping[str, str]) -> Path:
    """Make a small tree of files, for a test that shows that a rule can be broken."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def report(problems: Iterable[str]) -> str:
    """Return problems as the text of a failure."""
    return "\n".join(["", *problems])


def _called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
