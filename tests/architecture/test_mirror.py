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
    "sockudo.__main__": Elsewhere("tests/support/server.py", "how tests start a server process"),
    "sockudo.assembly": Elsewhere("tests/scenarios", "every scenario runs what it puts together"),
    "sockudo.stores": Elsewhere("tests/scenarios", "every scenario runs with the stores that its settings ask for"),
    "sockudo.bootstrap": Elsewhere("tests/scenarios/test_startup.py", _COMMANDS),
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
    "sockudo.migration.draft": Elsewhere("tests/migration/test_soketi.py", _VALUES),
    "sockudo.migration.reverb_variables": Elsewhere("tests/migration/test_reverb.py", _TABLES),
    "sockudo.migration.soketi_names": Elsewhere("tests/migration/test_soketi.py", _TABLES),
    "sockudo.migration.soketi_variables": Elsewhere("tests/migration/test_soketi.py", _TABLES),
    "sockudo.cluster.membership": Elsewhere("tests/cluster/test_cluster.py", _NODES),
    "sockudo.cluster.merging": Elsewhere("tests/cluster/test_hearing.py", _NODES),
    "sockudo.cluster.voice": Elsewhere("tests/cluster/test_cluster.py", _NODES),
    "sockudo.cluster.counters": Elsewhere("tests/cluster/test_cluster.py", _VALUES),
    "sockudo.cluster.following": Elsewhere("tests/cli/test_webhooks.py", _COMMANDS),
    "sockudo.cluster.heartbeat": Elsewhere("tests/cluster/test_hearing.py", _NODES),
    "sockudo.cluster.base": Elsewhere("tests/contracts/adapter.py", _INTERFACE),
    "sockudo.cluster.ipc_peers": Elsewhere("tests/cluster/test_ipc.py", _BUS),
    "sockudo.cluster.ipc_topics": Elsewhere("tests/cluster/test_ipc.py", _BUS),
    "sockudo.cluster.times": Elsewhere("tests/cluster/test_nodes.py", _VALUES),
    "sockudo.cluster.handler": Elsewhere("tests/node/test_remote_events.py", "an interface with one implementation"),
    "sockudo.cluster.peers": Elsewhere("tests/cluster", "an interface; each implementation has its tests"),
    "sockudo.config": Elsewhere("tests/config/test_every_setting.py", _SETTINGS),
    "sockudo.hub.changes": Elsewhere("tests/hub/test_hub.py", _VALUES),
    "sockudo.adapter_options": Elsewhere("tests/config/test_adapter.py", _SETTINGS),
    "sockudo.apps.changes": Elsewhere("tests/contracts/app_store.py", "run against every driver"),
    "sockudo.apps.sql": Elsewhere("tests/apps/test_sql_rows.py", "the contract is in test_sql.py"),
    "sockudo.apps.store": Elsewhere("tests/contracts/app_store.py", _INTERFACE),
    "sockudo.apps.sql_engine": Elsewhere("tests/apps/test_sql_faults.py", _DRIVER),
    "sockudo.queue_options": Elsewhere("tests/config/test_queues.py", _SETTINGS),
    "sockudo.webhook_options": Elsewhere("tests/scenarios/test_webhooks.py", _SETTINGS),
    "sockudo.webhooks.base": Elsewhere("tests/webhooks/test_webhooks.py", "an interface with one implementation"),
    "sockudo.webhooks.deliveries": Elsewhere("tests/webhooks/test_sender.py", _VALUES),
    "sockudo.webhooks.functions": Elsewhere("tests/webhooks/test_sender.py", "made when the first function is invoked"),
    "sockudo.webhooks.post_error": Elsewhere("tests/webhooks/test_sender.py", _VALUES),
    "sockudo.webhooks.service": Elsewhere("tests/scenarios/test_webhooks.py", "every scenario runs it"),
    "sockudo.registry": Elsewhere("tests/config/test_adapter.py", _SETTINGS),
    "sockudo.cli.app_database": Elsewhere("tests/cli/test_apps.py", _COMMANDS),
    "sockudo.database_redis": Elsewhere("tests/config/test_adapter.py", _SETTINGS),
    "sockudo.store_options": Elsewhere("tests/config/test_stores.py", _SETTINGS),
    "sockudo.webhooks.reports": Elsewhere("tests/webhooks/test_transitions.py", _VALUES),
    "sockudo.webhooks.handover": Elsewhere("tests/webhooks/test_transitions.py", _NODES),
    "sockudo.cli.nodes": Elsewhere("tests/cluster/test_roll_call.py", _COMMANDS),
    "sockudo.cluster.kafka_connection": Elsewhere("tests/cluster/test_kafka_faults.py", _DRIVER),
    "sockudo.cluster.kafka_leader": Elsewhere("tests/cluster/test_kafka.py", _DRIVER),
    "sockudo.cluster.kafka_link": Elsewhere("tests/cluster/test_kafka_faults.py", _DRIVER),
    "sockudo.cluster.kafka_options": Elsewhere("tests/cluster/test_kafka.py", _DRIVER),
    "sockudo.cluster.kafka_topic": Elsewhere("tests/cluster/test_kafka.py", _DRIVER),
    "sockudo.cluster.kafka_wire": Elsewhere("tests/cluster/test_kafka_faults.py", _DRIVER),
    "sockudo.cluster.link": Elsewhere("tests/cluster/test_nats_faults.py", _DRIVER),
    "sockudo.cluster.nats_connection": Elsewhere("tests/cluster/test_nats_faults.py", _DRIVER),
    "sockudo.cluster.nats_options": Elsewhere("tests/cluster/test_nats.py", _DRIVER),
    "sockudo.cluster.rabbitmq_connection": Elsewhere("tests/cluster/test_rabbitmq_faults.py", _DRIVER),
    "sockudo.cluster.rabbitmq_link": Elsewhere("tests/cluster/test_rabbitmq_faults.py", _DRIVER),
    "sockudo.cluster.rabbitmq_options": Elsewhere("tests/cluster/test_rabbitmq.py", _DRIVER),
    "sockudo.cluster.redis": Elsewhere("tests/cluster/test_redis.py", _DRIVER),
    "sockudo.cluster.redis_cluster": Elsewhere("tests/cluster/test_redis_cluster_faults.py", _DRIVER),
    "sockudo.cluster.redis_counts": Elsewhere("tests/cluster/test_redis_faults.py", _DRIVER),
    "sockudo.cluster.redis_link": Elsewhere("tests/cluster/test_redis_faults.py", _DRIVER),
    "sockudo.cluster.redis_options": Elsewhere("tests/cluster/test_redis_faults.py", _DRIVER),
    "sockudo.cluster.redis_places": Elsewhere("tests/cluster/test_redis_cluster_faults.py", _DRIVER),
    "sockudo.cluster.redis_publisher": Elsewhere("tests/cluster/test_redis_faults.py", _DRIVER),
    "sockudo.cluster.redis_shard": Elsewhere("tests/cluster/test_redis_cluster_faults.py", _DRIVER),
    "sockudo.cluster.redis_subscriber": Elsewhere("tests/cluster/test_redis_faults.py", _DRIVER),
    "sockudo.cluster.redis_verbs": Elsewhere("tests/cluster/test_redis_faults.py", _DRIVER),
    "sockudo.cluster.waiters": Elsewhere("tests/cluster/test_redis_faults.py", _DRIVER),
    "sockudo.node.limits": Elsewhere("tests/node/test_keepalive.py", _VALUES),
    "sockudo.pusher.errors": Elsewhere("tests/pusher", _VALUES),
    "sockudo.server.crew": Elsewhere("tests/server/test_workers.py", _WORKERS),
    "sockudo.server.places": Elsewhere("tests/server/test_workers.py", _WORKERS),
    "sockudo.server.worker_process": Elsewhere("tests/server/test_workers.py", _WORKERS),
    "sockudo.server.http_reader": Elsewhere("tests/server/test_http.py", "the half that reads of what is tested there"),
    "sockudo.server.http_writer": Elsewhere(
        "tests/server/test_http.py", "the half that answers of what is tested there"
    ),
    "sockudo.server.service": Elsewhere("tests/support/http_socket.py", "an interface; what tests HTTP implements it"),
    "sockudo.redis.base": Elsewhere("tests/redis/test_client.py", _CLIENT),
    "sockudo.redis.line": Elsewhere("tests/redis/test_faults.py", _CLIENT),
    "sockudo.redis.options": Elsewhere("tests/redis/test_server.py", _VALUES),
    "sockudo.redis.request": Elsewhere("tests/redis/test_client.py", _CLIENT),
    "sockudo.redis.resp": Elsewhere("tests/cluster/test_redis_faults.py", _DRIVER),
    "sockudo.redis.sentinel": Elsewhere("tests/cluster/test_redis_sentinel.py", _DRIVER),
    "sockudo.redis.single": Elsewhere("tests/redis/test_client.py", _CLIENT),
    "sockudo.redis.slots": Elsewhere("tests/cluster/test_redis_cluster_faults.py", _DRIVER),
    "sockudo.queues.base": Elsewhere("tests/contracts/queue.py", _INTERFACE),
    "sockudo.queues.handling": Elsewhere("tests/contracts/queue.py", "what drivers share; each is tested with it"),
    "sockudo.queues.redis": Elsewhere("tests/contracts/queue.py", _DRIVER),
    "sockudo.queues.backlog": Elsewhere("tests/queues/test_redis_faults.py", _DRIVER),
    "sockudo.queues.redis_lanes": Elsewhere("tests/queues/test_redis_processes.py", _DRIVER),
    "sockudo.queues.lease": Elsewhere("tests/queues/test_redis_processes.py", _DRIVER),
    "sockudo.queues.redis_options": Elsewhere("tests/queues/test_redis.py", _VALUES),
    "sockudo.queues.redis_records": Elsewhere("tests/queues/test_redis_faults.py", _DRIVER),
    "sockudo.queues.redis_scripts": Elsewhere("tests/queues/test_redis_faults.py", _DRIVER),
    "sockudo.queues.redis_shard": Elsewhere("tests/queues/test_redis_cluster.py", _DRIVER),
    "sockudo.queues.sqs": Elsewhere("tests/contracts/queue.py", _DRIVER),
    "sockudo.queues.sqs_client": Elsewhere("tests/queues/test_sqs_faults.py", _DRIVER),
    "sockudo.queues.sqs_consumer": Elsewhere("tests/queues/test_sqs_faults.py", _DRIVER),
    "sockudo.queues.sqs_failed": Elsewhere("tests/queues/test_sqs_faults.py", _DRIVER),
    "sockudo.queues.sqs_held": Elsewhere("tests/queues/test_sqs_faults.py", _DRIVER),
    "sockudo.queues.sqs_options": Elsewhere("tests/config/test_queues.py", _VALUES),
    "sockudo.queues.sqs_store": Elsewhere("tests/queues/test_sqs_faults.py", _DRIVER),
    "sockudo.queues.losses": Elsewhere("tests/contracts/queue.py", "what drivers share; each is tested with it"),
    "sockudo.ratelimit.base": Elsewhere("tests/contracts/rate_limiter.py", _INTERFACE),
}


def untested(root: Path, elsewhere: Mapping[str, Elsewhere]) -> Iterator[str]:
    """Yield every module with code that has no test file in its place, nor an entry in the table."""
    for name, module in read_modules(root / "src").items():
        if module.is_package or name in elsewhere or name.rpartition(".")[0] in elsewhere:
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
            "src/sockudo/clock.py": "",
            "src/sockudo/hub/__init__.py": "",
            "src/sockudo/hub/channel.py": "",
            "src/sockudo/hub/values.py": "",
            "src/sockudo/config/__init__.py": "",
            "src/sockudo/config/app.py": "",
            "tests/test_clock.py": "def test_it() -> None: ...\n",
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
