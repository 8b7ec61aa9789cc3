"""Tests are found where the code is: `src/sockudo/hub/channel.py` in `tests/hub/test_channel.py`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.source import ROOT, read_modules, report, write_tree


class Elsewhere(NamedTuple):
    """Where a module, or each module of a folder, is tested instead, and why."""

    tests: str
    reason: str


_VALUES: Final = "values without behaviour; tested with what makes and reads them"
_INTERFACE: Final = "an interface; one suite runs against every driver"
_TABLES: Final = "names in tables; tested by what converts them"
_SETTINGS: Final = "declarations; each is tested by loading a configuration, as its users meet it"
_NODES: Final = "a part of a node; tested by several nodes that talk to each other"
_BUS: Final = "a part of the bus; tested by several nodes that talk over it"
_SUPERVISOR: Final = "a part of the supervisor; tested by supervising small programs"
_COMMANDS: Final = "tested by running the command"
_DRIVER: Final = "a part of a driver; its contract and its faults are tested with a real server"
_CLIENT: Final = "a part of the client of stores; tested with a real server"
_WORKERS: Final = "tested with real worker processes"

TESTED_ELSEWHERE: Final[Mapping[str, Elsewhere]] = {
    "sockudo.__main__": Elsewhere("tests/servers/server.py", "how tests start a server process"),
    "sockudo.assembly.server": Elsewhere("tests/scenarios", "every scenario runs what it puts together"),
    "sockudo.assembly.stores": Elsewhere(
        "tests/scenarios", "every scenario runs with the stores that its settings ask for"
    ),
    "sockudo.assembly.run": Elsewhere("tests/scenarios/test_startup.py", _COMMANDS),
    "sockudo.errors": Elsewhere("tests/config/test_load.py", _VALUES),
    "sockudo.api.call": Elsewhere("tests/api", _VALUES),
    "sockudo.apps.app": Elsewhere("tests/node", _VALUES),
    "sockudo.apps.base": Elsewhere("tests/apps/test_memory.py", _INTERFACE),
    "sockudo.cache.base": Elsewhere("tests/contracts/cache.py", _INTERFACE),
    "sockudo.cli.check_config": Elsewhere("tests/cli/test_commands.py", _COMMANDS),
    "sockudo.cli.later": Elsewhere("tests/cli/test_imports.py", _COMMANDS),
    "sockudo.cli.loading": Elsewhere("tests/cli/test_commands.py", _COMMANDS),
    "sockudo.cli.main": Elsewhere("tests/cli/test_commands.py", _COMMANDS),
    "sockudo.cli.serve": Elsewhere("tests/cli/test_commands.py", _COMMANDS),
    "sockudo.migration.draft": Elsewhere("tests/migration/soketi/test_document.py", _VALUES),
    "sockudo.migration.reverb.variables": Elsewhere("tests/migration/reverb/test_document.py", _TABLES),
    "sockudo.migration.soketi.names": Elsewhere("tests/migration/soketi/test_document.py", _TABLES),
    "sockudo.migration.soketi.variables": Elsewhere("tests/migration/soketi/test_document.py", _TABLES),
    "sockudo.cluster.membership": Elsewhere("tests/cluster/test_cluster.py", _NODES),
    "sockudo.cluster.merging": Elsewhere("tests/cluster/test_hearing.py", _NODES),
    "sockudo.cluster.voice": Elsewhere("tests/cluster/test_cluster.py", _NODES),
    "sockudo.cluster.context": Elsewhere("tests/cluster/test_cluster.py", _VALUES),
    "sockudo.cluster.counters": Elsewhere("tests/cluster/test_cluster.py", _VALUES),
    "sockudo.cluster.heartbeat": Elsewhere("tests/cluster/test_hearing.py", _NODES),
    "sockudo.bus.base": Elsewhere("tests/contracts/adapter.py", _INTERFACE),
    "sockudo.bus.workers.peers": Elsewhere("tests/bus/workers/test_adapter.py", _BUS),
    "sockudo.bus.workers.topics": Elsewhere("tests/bus/workers/test_adapter.py", _BUS),
    "sockudo.cluster.times": Elsewhere("tests/cluster/test_nodes.py", _VALUES),
    "sockudo.cluster.handler": Elsewhere("tests/node/test_remote_events.py", "an interface with one implementation"),
    "sockudo.cluster.peers": Elsewhere("tests/cluster", "an interface; each implementation has its tests"),
    "sockudo.config": Elsewhere("tests/config/test_every_setting.py", _SETTINGS),
    "sockudo.hub.changes": Elsewhere("tests/hub/test_hub.py", _VALUES),
    "sockudo.assembly.cluster": Elsewhere("tests/config/test_adapter.py", _SETTINGS),
    "sockudo.apps.database.changes": Elsewhere("tests/contracts/app_store.py", "run against every driver"),
    "sockudo.apps.database.sql": Elsewhere("tests/apps/database/test_sql_rows.py", "the contract is in test_sql.py"),
    "sockudo.apps.database.store": Elsewhere("tests/contracts/app_store.py", _INTERFACE),
    "sockudo.apps.database.sql_engine": Elsewhere("tests/apps/database/test_sql_faults.py", _DRIVER),
    "sockudo.assembly.queue": Elsewhere("tests/config/test_queues.py", _SETTINGS),
    "sockudo.assembly.webhooks": Elsewhere("tests/scenarios/test_webhooks.py", _SETTINGS),
    "sockudo.webhooks.base": Elsewhere("tests/webhooks/test_webhooks.py", "an interface with one implementation"),
    "sockudo.webhooks.delivery.deliveries": Elsewhere("tests/webhooks/delivery/test_sender.py", _VALUES),
    "sockudo.webhooks.delivery.functions": Elsewhere(
        "tests/webhooks/delivery/test_sender.py", "made when the first function is invoked"
    ),
    "sockudo.webhooks.delivery.post_error": Elsewhere("tests/webhooks/delivery/test_sender.py", _VALUES),
    "sockudo.webhooks.service": Elsewhere("tests/scenarios/test_webhooks.py", "every scenario runs it"),
    "sockudo.assembly.drivers": Elsewhere("tests/config/test_adapter.py", _SETTINGS),
    "sockudo.cli.app_database": Elsewhere("tests/cli/test_apps.py", _COMMANDS),
    "sockudo.assembly.redis": Elsewhere("tests/config/test_adapter.py", _SETTINGS),
    "sockudo.assembly.store_options": Elsewhere("tests/config/test_stores.py", _SETTINGS),
    "sockudo.webhooks.reporting.reports": Elsewhere("tests/webhooks/reporting/test_transitions.py", _VALUES),
    "sockudo.webhooks.reporting.outgoing": Elsewhere("tests/webhooks/reporting/test_transitions.py", _NODES),
    "sockudo.webhooks.reporting.takeover": Elsewhere("tests/webhooks/reporting/test_transitions.py", _NODES),
    "sockudo.webhooks.reporting.handover": Elsewhere("tests/webhooks/reporting/test_transitions.py", _NODES),
    "sockudo.cli.nodes": Elsewhere("tests/cluster/test_visitors.py", _COMMANDS),
    "sockudo.bus.kafka.connection": Elsewhere("tests/bus/kafka/test_faults.py", _DRIVER),
    "sockudo.bus.kafka.leader": Elsewhere("tests/bus/kafka/test_adapter.py", _DRIVER),
    "sockudo.bus.kafka.link": Elsewhere("tests/bus/kafka/test_faults.py", _DRIVER),
    "sockudo.bus.kafka.options": Elsewhere("tests/bus/kafka/test_adapter.py", _DRIVER),
    "sockudo.bus.kafka.topic": Elsewhere("tests/bus/kafka/test_adapter.py", _DRIVER),
    "sockudo.bus.kafka.wire": Elsewhere("tests/bus/kafka/test_faults.py", _DRIVER),
    "sockudo.bus.broker.connection": Elsewhere("tests/bus/nats/test_faults.py", _DRIVER),
    "sockudo.bus.nats.connection": Elsewhere("tests/bus/nats/test_faults.py", _DRIVER),
    "sockudo.bus.nats.options": Elsewhere("tests/bus/nats/test_adapter.py", _DRIVER),
    "sockudo.bus.rabbitmq.connection": Elsewhere("tests/bus/rabbitmq/test_faults.py", _DRIVER),
    "sockudo.bus.rabbitmq.link": Elsewhere("tests/bus/rabbitmq/test_faults.py", _DRIVER),
    "sockudo.bus.rabbitmq.options": Elsewhere("tests/bus/rabbitmq/test_adapter.py", _DRIVER),
    "sockudo.bus.redis.adapter": Elsewhere("tests/bus/redis/test_adapter.py", _DRIVER),
    "sockudo.bus.redis.cluster": Elsewhere("tests/bus/redis/test_cluster_faults.py", _DRIVER),
    "sockudo.bus.redis.counts": Elsewhere("tests/bus/redis/test_faults.py", _DRIVER),
    "sockudo.bus.redis.link": Elsewhere("tests/bus/redis/test_faults.py", _DRIVER),
    "sockudo.bus.redis.options": Elsewhere("tests/bus/redis/test_faults.py", _DRIVER),
    "sockudo.bus.redis.assignments": Elsewhere("tests/bus/redis/test_cluster_faults.py", _DRIVER),
    "sockudo.bus.redis.publisher": Elsewhere("tests/bus/redis/test_faults.py", _DRIVER),
    "sockudo.bus.redis.master": Elsewhere("tests/bus/redis/test_cluster_faults.py", _DRIVER),
    "sockudo.bus.redis.subscriber": Elsewhere("tests/bus/redis/test_faults.py", _DRIVER),
    "sockudo.bus.redis.verbs": Elsewhere("tests/bus/redis/test_faults.py", _DRIVER),
    "sockudo.bus.broker.waiters": Elsewhere("tests/bus/redis/test_faults.py", _DRIVER),
    "sockudo.node.limits": Elsewhere("tests/node/test_keepalive.py", _VALUES),
    "sockudo.pusher.errors": Elsewhere("tests/pusher", _VALUES),
    "sockudo.supervisor.crew": Elsewhere("tests/supervisor/test_supervisor.py", _WORKERS),
    "sockudo.supervisor.seats": Elsewhere("tests/supervisor/test_supervisor.py", _WORKERS),
    "sockudo.supervisor.worker_process": Elsewhere("tests/supervisor/test_supervisor.py", _WORKERS),
    "sockudo.server.http_reader": Elsewhere("tests/server/test_http.py", "the half that reads of what is tested there"),
    "sockudo.server.http_writer": Elsewhere(
        "tests/server/test_http.py", "the half that answers of what is tested there"
    ),
    "sockudo.server.service": Elsewhere("tests/fakes/http_socket.py", "an interface; what tests HTTP implements it"),
    "sockudo.redis_client.base": Elsewhere("tests/redis_client/test_client.py", _CLIENT),
    "sockudo.redis_client.line": Elsewhere("tests/redis_client/test_faults.py", _CLIENT),
    "sockudo.redis_client.options": Elsewhere("tests/redis_client/test_server.py", _VALUES),
    "sockudo.redis_client.request": Elsewhere("tests/redis_client/test_client.py", _CLIENT),
    "sockudo.redis_client.resp": Elsewhere("tests/bus/redis/test_faults.py", _DRIVER),
    "sockudo.redis_client.sentinel": Elsewhere("tests/bus/redis/test_sentinel.py", _DRIVER),
    "sockudo.redis_client.single": Elsewhere("tests/redis_client/test_client.py", _CLIENT),
    "sockudo.redis_client.slots": Elsewhere("tests/bus/redis/test_cluster_faults.py", _DRIVER),
    "sockudo.queues.base": Elsewhere("tests/contracts/queue.py", _INTERFACE),
    "sockudo.queues.handling": Elsewhere("tests/contracts/queue.py", "what drivers share; each is tested with it"),
    "sockudo.queues.redis.queue": Elsewhere("tests/contracts/queue.py", _DRIVER),
    "sockudo.queues.backlog": Elsewhere("tests/queues/redis/test_faults.py", _DRIVER),
    "sockudo.queues.redis.lanes": Elsewhere("tests/queues/redis/test_processes.py", _DRIVER),
    "sockudo.queues.lease": Elsewhere("tests/queues/redis/test_processes.py", _DRIVER),
    "sockudo.queues.redis.options": Elsewhere("tests/queues/redis/test_queue.py", _VALUES),
    "sockudo.queues.redis.records": Elsewhere("tests/queues/redis/test_faults.py", _DRIVER),
    "sockudo.queues.redis.scripts": Elsewhere("tests/queues/redis/test_faults.py", _DRIVER),
    "sockudo.queues.redis.shard": Elsewhere("tests/queues/redis/test_cluster.py", _DRIVER),
    "sockudo.queues.sqs.queue": Elsewhere("tests/contracts/queue.py", _DRIVER),
    "sockudo.queues.sqs.client": Elsewhere("tests/queues/sqs/test_faults.py", _DRIVER),
    "sockudo.queues.sqs.consumer": Elsewhere("tests/queues/sqs/test_faults.py", _DRIVER),
    "sockudo.queues.sqs.failed": Elsewhere("tests/queues/sqs/test_faults.py", _DRIVER),
    "sockudo.queues.sqs.held": Elsewhere("tests/queues/sqs/test_faults.py", _DRIVER),
    "sockudo.queues.sqs.options": Elsewhere("tests/config/test_queues.py", _VALUES),
    "sockudo.queues.sqs.store": Elsewhere("tests/queues/sqs/test_faults.py", _DRIVER),
    "sockudo.queues.stored": Elsewhere("tests/contracts/queue.py", "what drivers share; each is tested with it"),
    "sockudo.queues.losses": Elsewhere("tests/contracts/queue.py", "what drivers share; each is tested with it"),
    "sockudo.ratelimit.base": Elsewhere("tests/contracts/rate_limiter.py", _INTERFACE),
}


def untested(root: Path, elsewhere: Mapping[str, Elsewhere]) -> Iterator[str]:
    """Yield every module with code that has no test file in its place, nor an entry in the table."""
    for name, module in read_modules(root / "src").items():
        if module.is_package or any(above in elsewhere for above in _with_folders(name)):
            continue
        *folders, last = name.split(".")[1:]
        path = Path("tests", *folders, f"test_{last}.py")
        if not _has_tests(root / path):
            yield f"{name} has no tests in {path}"


def stale(root: Path, elsewhere: Mapping[str, Elsewhere]) -> Iterator[str]:
    """Yield entries of the table that name what does not exist."""
    modules = read_modules(root / "src")
    for name, (tests, _) in elsewhere.items():
        if name not in modules:
            yield f"{name} does not exist"
        if not (root / tests).exists():
            yield f"{name}: {tests} does not exist"


def _with_folders(name: str) -> Iterator[str]:
    """Yield the name of a module and of each folder around it."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _has_tests(path: Path) -> bool:
    if not path.is_file():
        return False
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return any(isinstance(node, kinds) and node.name.startswith("test_") for node in nodes)


def test_every_module_is_tested_in_the_file_that_mirrors_it() -> None:
    problems = list(untested(ROOT, TESTED_ELSEWHERE))
    assert not problems, report(problems)


def test_the_exceptions_are_about_what_exists() -> None:
    problems = list(stale(ROOT, TESTED_ELSEWHERE))
    assert not problems, report(problems)


def test_a_module_without_tests_is_found(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "src/sockudo/__init__.py": "",
            "src/sockudo/timing/clock.py": "",
            "src/sockudo/hub/__init__.py": "",
            "src/sockudo/hub/channel.py": "",
            "src/sockudo/hub/values.py": "",
            "src/sockudo/config/__init__.py": "",
            "src/sockudo/config/sections/app.py": "",
            "tests/timing/test_clock.py": "def test_it() -> None: ...\n",
            "tests/hub/test_channel.py": "# Nothing here.\n",
        },
    )
    elsewhere = {
        "sockudo.config": Elsewhere("tests/config", "all together"),
        "sockudo.hub.values": Elsewhere("tests/hub/test_channel.py", "values"),
        "sockudo.gone": Elsewhere("tests/hub", "was removed"),
    }
    assert list(untested(tmp_path, elsewhere)) == ["sockudo.hub.channel has no tests in tests/hub/test_channel.py"]
    assert list(stale(tmp_path, elsewhere)) == [
        "sockudo.config: tests/config does not exist",
        "sockudo.gone does not exist",
    ]
