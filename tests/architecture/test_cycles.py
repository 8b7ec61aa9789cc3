"""No module imports itself by a detour, not even for its types: each can be read after what it imports."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.support.source import SRC, Module, own_imports, read_modules, write_tree


def find_cycle(modules: Mapping[str, Module]) -> list[str]:
    """Return the modules of one import cycle, the first again at the end; empty where there is none."""
    graph = {name: {target for target, _ in own_imports(module, modules)} for name, module in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        return list(cycle.args[1])
    return []


def test_there_is_no_import_cycle() -> None:
    assert find_cycle(read_modules(SRC)) == []


def test_a_cycle_is_found_even_for_types_only(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "sockudo/__init__.py": "",
            "sockudo/a.py": "from sockudo.b import B\n",
            "sockudo/b.py": "def f():\n    import sockudo.c\n",
            "sockudo/c.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sockudo import a\n",
        },
    )
    assert set(find_cycle(read_modules(tmp_path))) == {"sockudo.a", "sockudo.b", "sockudo.c"}
