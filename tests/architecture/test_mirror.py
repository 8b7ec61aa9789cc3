"""Tests are found where the code is: `src/sockudo/hub/channel.py` in `tests/hub/test_channel.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.source import ROOT, Function, Module, own_imports, read_modules, report, write_tree


class Together(NamedTuple):
    """What tests the modules of a folder that have no file of their own: files below `tests/`, and why."""

    files: tuple[str, ...]
    reason: str


_DRIVERS: Final = "drivers; their contracts and their faults are tested with real servers"
_RUN: Final = "tested by running the command"

# A folder, or a module -> what tests it. Of these, a module counts as tested that the files import, themselves or by a
# detour; any other needs a file in its place.
TESTED_TOGETHER: Final[Mapping[str, Together]] = {
    "sockudo.apps.database": Together(("contracts/app_store.py", "apps/database/test_sql_faults.py"), _DRIVERS),
    "sockudo.assembly": Together(
        ("servers/server.py", "servers/forge_process.py"), "every scenario runs what it puts together"
    ),
    "sockudo.bus": Together(
        (
            "bus/kafka/test_faults.py",
            "bus/nats/test_faults.py",
            "bus/rabbitmq/test_faults.py",
            "bus/redis/test_adapter.py",
            "bus/redis/test_cluster_faults.py",
            "bus/workers/test_adapter.py",
        ),
        _DRIVERS,
    ),
    "sockudo.cli": Together(("cli/test_commands.py", "cli/test_apps.py", "cluster/test_visitors.py"), _RUN),
    "sockudo.cluster": Together(
        ("servers/nodes.py", "cli/test_webhooks.py"), "tested by several nodes that talk to each other"
    ),
    "sockudo.config": Together(("config/test_every_setting.py", "config/conftest.py"), "tested by loading settings"),
    "sockudo.log_lines": Together(("test_log.py", "test_log_plain.py"), "tested by what lines look like"),
    "sockudo.log_structlog": Together(("test_log.py", "test_log_plain.py"), "tested by what lines look like"),
    "sockudo.metrics": Together(("servers/server.py",), "scraped from real servers"),
    "sockudo.migration": Together(("migration/reverb/test_document.py",), "tested by converting documents"),
    "sockudo.queues": Together(
        ("queues/redis/test_faults.py", "queues/redis/test_cluster.py", "queues/sqs/test_faults.py"), _DRIVERS
    ),
    "sockudo.redis_client": Together(("redis_client/clients.py", "redis_client/test_cluster.py"), _DRIVERS),
    "sockudo.server": Together(("fakes/http_socket.py",), "the halves of what is tested there"),
    "sockudo.supervisor": Together(
        ("supervisor/small_workers.py", "servers/forge_process.py"), "tested with real worker processes"
    ),
    "sockudo.traced": Together(("traced/test_traces.py",), "tested by servers whose spans are collected"),
    "sockudo.webhooks": Together(
        ("servers/server.py", "webhooks/delivery/test_sender.py"), "tested by several nodes that send webhooks"
    ),
}


def untested(root: Path, together: Mapping[str, Together]) -> Iterator[str]:
    """Yield every module with behaviour that has no test file in its place, and is not tested with its folder."""
    modules = read_modules(root / "src")
    reached = {name for folder, (files, _) in together.items() for name in _reached(root, folder, files, modules)}
    for name, path in _without_file(root, modules).items():
        if name not in reached:
            yield f"{name} has no tests in {path}"


def stale(root: Path, together: Mapping[str, Together]) -> Iterator[str]:
    """Yield entries of the table that name what does not exist, or that nothing needs any more."""
    modules = read_modules(root / "src")
    without_file = _without_file(root, modules).keys()
    for folder, (files, _) in together.items():
        yield from (f"{folder}: tests/{file} does not exist" for file in files if not (root / "tests" / file).exists())
        if not _reached(root, folder, files, modules) & without_file:
            yield f"{folder} needs no entry"


def _without_file(root: Path, modules: Mapping[str, Module]) -> dict[str, Path]:
    """Return the modules with behaviour that have no tests in their place, and that place."""
    places = {name: Path("tests", *name.split(".")[1:-1], f"test_{name.rpartition('.')[2]}.py") for name in modules}
    return {name: path for name, path in places.items() if has_behaviour(modules[name]) and not _has_tests(root / path)}


def has_behaviour(module: Module) -> bool:
    """Tell whether a module does something; names, values and interfaces are tested with what uses them."""
    return any(not _is_declared_only(function) for function in module.functions())


def _is_declared_only(function: Function) -> bool:
    first, *more = function.body[ast.get_docstring(function) is not None :] or [ast.Pass()]
    if more:
        return False
    is_dots = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return is_dots or isinstance(first, ast.Pass | ast.Raise)


def _reached(root: Path, folder: str, files: Sequence[str], modules: Mapping[str, Module]) -> set[str]:
    """Return the modules of a folder that files mirror or import, themselves or by a detour."""
    paths = [path for file in files if (path := root / "tests" / file).exists()]
    waiting = [Module(str(path), path, path.read_text(encoding="utf-8")) for path in paths]
    mirrored = (f"sockudo.{file.removesuffix('.py').replace('/', '.').replace('test_', '')}" for file in files)
    reached = {name for name in mirrored if name in modules}
    waiting += [modules[name] for name in reached]
    while waiting:
        found = {name for name, _ in own_imports(waiting.pop(), modules)} - reached
        reached |= found
        waiting += [modules[name] for name in found]
    return {name for name in reached if f"{name}.".startswith(f"{folder}.")}


def _has_tests(path: Path) -> bool:
    if not path.is_file():
        return False
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return any(isinstance(node, kinds) and node.name.startswith("test_") for node in nodes)


def test_every_module_is_tested_in_the_file_that_mirrors_it() -> None:
    problems = list(untested(ROOT, TESTED_TOGETHER))
    assert not problems, report(problems)


def test_the_exceptions_are_about_what_exists() -> None:
    problems = list(stale(ROOT, TESTED_TOGETHER))
    assert not problems, report(problems)


def test_a_module_without_tests_is_found(tmp_path: Path) -> None:
    does = "def work():\n    return 1\n"
    write_tree(
        tmp_path,
        {
            "src/sockudo/__init__.py": "",
            "src/sockudo/timing/clock.py": does,
            "src/sockudo/hub/__init__.py": "",
            "src/sockudo/hub/channel.py": does,
            "src/sockudo/hub/values.py": "class Joined:\n    who: str\n    def is_first(self): ...\n",
            "src/sockudo/bus/base.py": does,
            "src/sockudo/bus/driver.py": f"import sockudo.hub.channel\nimport sockudo.bus.link\n{does}",
            "src/sockudo/bus/link.py": does,
            "src/sockudo/bus/forgotten.py": does,
            "tests/timing/test_clock.py": "def test_it() -> None: ...\n",
            "tests/hub/test_channel.py": "# Nothing here.\n",
            "tests/bus/test_base.py": "def test_it() -> None: ...\n",
            "tests/bus/test_faults.py": "from sockudo.bus.driver import work\n",
        },
    )
    together = {
        "sockudo.bus": Together(("bus/test_faults.py",), "drivers"),
        "sockudo.timing": Together(("timing/test_clock.py",), "has its own file"),
        "sockudo.gone": Together(("gone",), "was removed"),
    }
    assert list(untested(tmp_path, together)) == [
        "sockudo.bus.forgotten has no tests in tests/bus/test_forgotten.py",
        "sockudo.hub.channel has no tests in tests/hub/test_channel.py",
    ]
    assert list(stale(tmp_path, together)) == [
        "sockudo.timing needs no entry",
        "sockudo.gone: tests/gone does not exist",
        "sockudo.gone needs no entry",
    ]
