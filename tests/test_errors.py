"""The tree of exceptions in the first lines of `errors.py` is that of the code."""

from __future__ import annotations

import ast
import re
from typing import Final

from sockudo import errors
from tests.support.source import SRC, read_modules

ROOTS: Final = frozenset({"SockudoError", "PusherError"})


def test_the_tree_has_every_class_of_its_roots() -> None:
    text = errors.__doc__ or ""
    shown = {line.rpartition(".")[2] for line in re.findall(r"^[^A-Za-z]*([\w.]+)", text, re.MULTILINE)}
    made = {
        node.name
        for module in read_modules(SRC).values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id in ROOTS for base in node.bases)
    }
    assert made <= shown
