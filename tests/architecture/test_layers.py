"""Imports go in one direction, and what talks to the outside is in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.support.source import SRC, Module, own_imports, read_modules, report, write_tree

# Parts that import nothing of ours.
PROTOCOL: Final = ("pusher", "websocket")
GROUND: Final = ("errors", "eventual", "log", "log_lines", "log_plain", "log_structlog", "log_writer", "timing")
# The one of them that is made of several: what lines are, two ways to make them, and what writes them.
LOG_MAY_IMPORT: Final = ("log_lines", "log_plain", "log_structlog", "log_writer")
LINES_MAY_IMPORT: Final = ("log_lines",)
# Parts that may import those: clients of servers that drivers of several parts use.
CLIENTS: Final = ("redis_client",)
# Parts that may import all of those.
SIDE: Final = ("apps", "bus", "cache", "migration", "queues", "ratelimit", "tracing")
# Each may import what stands before it, and all of the above.
SPINE: Final = (
    "hub",
    "cluster",
    "webhooks",
    "node",
    "api",
    "traced",
    "supervisor",
    "server",
    "metrics",
    "assembly",
    "cli",
    "__main__",
)
# The settings are read by what puts the server together, and know next to nothing of it.
CONFIG_MAY_IMPORT: Final = ("errors", "pusher", "apps.origins", "apps.patterns")
CONFIG_IS_FOR: Final = ("assembly", "cli")
# Nodes and the command line tell their version.
VERSION_IS_FOR: Final = ("assembly", "cluster", "webhooks", "cli")

# A library is used in one part, so that replacing it, or doing without it, concerns one part.
LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = {
    # The node knows the futures of what it waits for, and awaits nothing.
    "asyncio": (
        "apps",
        "assembly",
        "bus",
        "cache",
        "cli",
        "cluster",
        "eventual",
        "metrics",
        "node",
        "queues",
        "ratelimit",
        "redis_client",
        "server",
        "supervisor",
        "timing",
        "webhooks",
    ),
    "aiobotocore": ("apps", "queues", "webhooks"),
    "aiosqlite": ("apps",),
    "botocore": ("apps", "queues", "webhooks"),
    "cassandra": ("apps",),
    "aiohttp": ("webhooks",),
    "click": ("cli",),
    "concurrent": (),
    "httptools": ("server",),
    "idna": ("apps",),
    "logging": ("log", "log_plain"),
    "multiprocessing": (),
    "opentelemetry": ("tracing",),
    "pydantic": ("config",),
    "pydantic_core": ("config",),
    "re2": ("apps",),
    "rich": ("cli",),
    "selectors": (),
    "socket": ("assembly", "bus", "cluster", "server", "supervisor", "webhooks"),
    "sqlalchemy": ("apps",),
    "ssl": ("apps", "bus", "cluster", "redis_client", "server", "webhooks"),
    # The supervisor, which has to stay small, imports `log` and does without it.
    "structlog": ("log_structlog",),
    # Names are looked up in threads that hold up neither each other nor the end of the process.
    # So are the lines of the log written.
    # And so do spans leave when the server stops.
    "threading": ("log_writer", "tracing", "webhooks"),
    "uvloop": ("assembly",),
}

# What decides and routes is synchronous: nothing in it awaits, so nothing in it can race.
SYNCHRONOUS: Final = (*PROTOCOL, "hub", "node", "api")

READERS_OF_CONFIGURATION: Final = ("config", "cli")
OUTSIDE: Final = frozenset({"environ", "getenv", "argv", "open", "read_text", "read_bytes"})
READS_FILES: Final = (
    # The kernel's figures about memory and cores are files too.
    "sockudo.node.memory",
    "sockudo.supervisor.cores",
    # Where spans go is said to every program alike, in the environment.
    "sockudo.tracing.otel",
    # A credentials file is read where it is used, so that what is secret in it goes nowhere else.
    "sockudo.bus.nats.options",
    # Which worker listens for scrapes is decided by a lock on a file.
    "sockudo.metrics.scrape_lock",
    # So is a certificate, which is also looked at again while the server runs.
    "sockudo.server.accepting.certificates",
    # The folder of a unix socket is opened to lock it.
    "sockudo.supervisor.listening.socket_file",
    # A supervisor tells its workers what they are in their environment.
    "sockudo.supervisor.crew",
    "sockudo.supervisor.worker",
    "sockudo.supervisor.worker_process",
    "sockudo.supervisor.supervisor",
    # A command tells the supervisor that it becomes what to do in an unnamed file.
    "sockudo.supervisor.task",
)


def allowed_parts() -> dict[str, frozenset[str]]:
    """Return, for each part, the parts it may import besides itself."""
    ground = frozenset(PROTOCOL + GROUND)
    allowed: dict[str, frozenset[str]] = {part: frozenset() for part in ground}
    allowed["log"] = frozenset(LOG_MAY_IMPORT)
    allowed |= dict.fromkeys(("log_plain", "log_structlog"), frozenset(LINES_MAY_IMPORT))
    allowed |= dict.fromkeys(CLIENTS, ground)
    allowed |= dict.fromkeys(SIDE, ground | frozenset(CLIENTS))
    allowed["config"] = frozenset(CONFIG_MAY_IMPORT)
    below = ground | frozenset(CLIENTS + SIDE)
    for part in SPINE:
        allowed[part] = below | ({"config"} if part in CONFIG_IS_FOR else frozenset())
        allowed[part] |= {""} if part in VERSION_IS_FOR else frozenset()
        below |= {part}
    # The top package itself is the version and nothing else.
    allowed[""] = frozenset()
    return allowed


def forbidden_imports(modules: Mapping[str, Module]) -> Iterator[str]:
    """Yield every import that goes against the order."""
    allowed = allowed_parts()
    for module in modules.values():
        if module.part not in allowed:
            yield f"{module.name}: {module.part} has no place among the layers"
            continue
        for target, line in own_imports(module, modules):
            part, below = modules[target].part, target.partition(".")[2]
            if part != module.part and part not in allowed[module.part] and below not in allowed[module.part]:
                yield f"{module.name}:{line} imports {target}"


def misplaced_libraries(modules: Mapping[str, Module]) -> Iterator[str]:
    """Yield every import of a library in a part that has no business with it."""
    for module in modules.values():
        for name, line in module.imports():
            library = name.partition(".")[0]
            if library in LIBRARIES and module.part not in LIBRARIES[library]:
                yield f"{module.name}:{line} imports {library}"


def waiting(modules: Mapping[str, Module]) -> Iterator[str]:
    """Yield every coroutine in a part that is synchronous."""
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for module in modules.values():
        if module.part in SYNCHRONOUS:
            for node in ast.walk(module.tree):
                if isinstance(node, kinds):
                    yield f"{module.name}:{node.lineno} {type(node).__name__}"


def looks_outside(modules: Mapping[str, Module]) -> Iterator[str]:
    """Yield every use of the environment, the command line or files where settings come ready-made."""
    for module in modules.values():
        if module.part in READERS_OF_CONFIGURATION or module.name in READS_FILES:
            continue
        for node in ast.walk(module.tree):
            match node:
                case ast.Name(id=name, ctx=ast.Load()) if name in OUTSIDE:
                    yield f"{module.name}:{node.lineno} {name}"
                case ast.Attribute(value=ast.Name(id="os" | "sys" | "io"), attr=name) if name in OUTSIDE:
                    yield f"{module.name}:{node.lineno} {name}"
                case ast.Attribute(attr="read_text" | "read_bytes" as name):
                    yield f"{module.name}:{node.lineno} {name}"


def full_packages(modules: Mapping[str, Module]) -> Iterator[str]:
    """Yield the packages below the top one that contain code, so that the import graph is not the list of files."""
    for module in modules.values():
        if module.is_package and module.part and module.text:
            yield str(module.path)


def test_imports_go_from_the_command_line_down_to_the_protocol() -> None:
    problems = list(forbidden_imports(read_modules(SRC)))
    assert not problems, report(problems)


def test_each_library_is_used_in_one_part() -> None:
    problems = list(misplaced_libraries(read_modules(SRC)))
    assert not problems, report(problems)


def test_nothing_from_the_protocol_to_the_http_api_awaits() -> None:
    problems = list(waiting(read_modules(SRC)))
    assert not problems, report(problems)


def test_only_configuration_and_commands_read_files_the_environment_and_arguments() -> None:
    problems = list(looks_outside(read_modules(SRC)))
    assert not problems, report(problems)


def test_packages_are_empty_so_the_import_graph_lists_files() -> None:
    problems = list(full_packages(read_modules(SRC)))
    assert not problems, report(problems)


def test_every_layer_exists() -> None:
    parts = {module.part for module in read_modules(SRC).values()}
    assert parts == set(allowed_parts())


def made_up(folder: Path, **files: str) -> dict[str, Module]:
    tree = {"sockudo/__init__.py": "", "sockudo/hub/__init__.py": "", "sockudo/hub/hub.py": ""}
    tree |= {"sockudo/node/__init__.py": "", "sockudo/node/node.py": "import sockudo.hub.hub\n"}
    tree |= {f"sockudo/{name.replace('__', '/')}.py": text for name, text in files.items()}
    return read_modules(write_tree(folder, tree))


def test_a_tree_in_order_has_nothing_to_report(tmp_path: Path) -> None:
    modules = made_up(tmp_path)
    checks = (forbidden_imports, misplaced_libraries, waiting, looks_outside, full_packages)
    assert [problem for check in checks for problem in check(modules)] == []


def test_an_import_upwards_is_found_wherever_it_hides(tmp_path: Path) -> None:
    modules = made_up(
        tmp_path,
        hub__plain="from sockudo.node.node import Node\n",
        hub__whole="import sockudo.node.node as other\n",
        hub__late="def f():\n    from sockudo.node import node\n",
        hub__typed="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sockudo.node.node import Node\n",
        hub__relative="from ..node import node\n",
        hub__named="from importlib import import_module\nimport_module('sockudo.node.node')\n",
    )
    assert sorted(forbidden_imports(modules)) == [
        "sockudo.hub.late:2 imports sockudo.node.node",
        "sockudo.hub.named:2 imports sockudo.node.node",
        "sockudo.hub.plain:1 imports sockudo.node.node",
        "sockudo.hub.relative:1 imports sockudo.node.node",
        "sockudo.hub.typed:3 imports sockudo.node.node",
        "sockudo.hub.whole:1 imports sockudo.node.node",
    ]


def test_the_protocol_and_the_settings_import_only_what_they_may(tmp_path: Path) -> None:
    modules = made_up(
        tmp_path,
        timing__clock="",
        apps__app="",
        apps__origins="",
        pusher__channels="import sockudo.timing.clock\n",
        config__app="import sockudo.apps.origins\nimport sockudo.apps.app\nimport sockudo.pusher.channels\n",
        node__settings="import sockudo.config.app\n",
    )
    assert list(forbidden_imports(modules)) == [
        "sockudo.config.app:2 imports sockudo.apps.app",
        "sockudo.node.settings:1 imports sockudo.config.app",
        "sockudo.pusher.channels:1 imports sockudo.timing.clock",
    ]


def test_a_part_without_a_layer_is_found(tmp_path: Path) -> None:
    modules = made_up(tmp_path, extras__thing="")
    assert list(forbidden_imports(modules)) == ["sockudo.extras.thing: extras has no place among the layers"]


def test_a_library_a_coroutine_and_a_look_outside_are_found(tmp_path: Path) -> None:
    modules = made_up(
        tmp_path,
        hub__wrong="import asyncio\nimport os\nasync def f():\n    return os.environ, open('x')\n",
        node__wrong="from pathlib import Path\nPath('x').read_text()\n",
    )
    assert list(misplaced_libraries(modules)) == ["sockudo.hub.wrong:1 imports asyncio"]
    assert list(waiting(modules)) == ["sockudo.hub.wrong:3 AsyncFunctionDef"]
    assert sorted(looks_outside(modules)) == [
        "sockudo.hub.wrong:4 environ",
        "sockudo.hub.wrong:4 open",
        "sockudo.node.wrong:2 read_text",
    ]


def test_a_package_with_code_is_found(tmp_path: Path) -> None:
    made_up(tmp_path)
    modules = read_modules(write_tree(tmp_path, {"sockudo/node/__init__.py": "x = 1\n"}))
    assert list(full_packages(modules)) == [str(tmp_path / "sockudo/node/__init__.py")]
