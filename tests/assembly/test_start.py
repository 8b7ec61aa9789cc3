"""What a server does that is told to stop while it starts, because a store or the bus answers nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sockudo.assembly.server import Assembly, assemble
from sockudo.assembly.start import started
from sockudo.errors import DriverError
from sockudo.supervisor.stopping import Stopping
from sockudo.timing.clock import LoopClock
from tests.servers.server import app, document, settings
from tests.servers.service_manager import Service, service
from tests.servers.workers import SOURCES, WorkersProcess, is_alive, workers_process
from tests.support.log_lines import CapturedLog
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

# A second is promised, and other work of the machine may take some; each driver would go on for longer.
ENDS_WITHIN = 4.5
HOOK = {"url": "http://127.0.0.1:9/", "event_types": ["channel_occupied"]}
GIVEN_UP = "server start given up: the process was told to stop"


class Silent:
    """A server that takes connections and never answers."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._taken: list[socket.socket] = []
        self.port: int = listening.getsockname()[1]

    async def reached(self, times: int = 1) -> None:
        """Wait until processes have connected so often."""
        async with asyncio.timeout(60):
            while len(self._taken) < times:
                connection, _ = await asyncio.get_running_loop().sock_accept(self._listening)
                self._taken.append(connection)

    def close(self) -> None:
        """Close every connection."""
        for connection in (self._listening, *self._taken):
            connection.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    made = Silent(listening)
    yield made
    made.close()


def changes(driver: str, port: int) -> dict[str, Any]:
    """Return the settings that let a start wait for one driver."""
    database = {"host": "127.0.0.1", "port": port}
    address = f"127.0.0.1:{port}"
    hooks = {"app_manager": {"array": {"apps": [app(webhooks=[HOOK])]}}}
    found: Mapping[str, dict[str, Any]] = {
        "bus redis": {"adapter": {"driver": "redis"}, "database": {"redis": database}},
        "bus redis-cluster": {
            "adapter": {"driver": "redis-cluster"},
            "database": {"redis": {"cluster_nodes": [database]}},
        },
        "bus sentinel": {"adapter": {"driver": "redis"}, "database": {"redis": {"sentinels": [database]}}},
        "bus nats": {"adapter": {"driver": "nats", "nats": {"servers": [f"nats://{address}"]}}},
        "bus rabbitmq": {"adapter": {"driver": "rabbitmq", "rabbitmq": {"url": f"amqp://guest:guest@{address}/%2f"}}},
        "bus kafka": {"adapter": {"driver": "kafka", "kafka": {"brokers": [address]}}},
        "cache": {"cache": {"driver": "redis"}, "database": {"redis": database}},
        "limiter": {"rate_limiter": {"enabled": True, "driver": "redis"}, "database": {"redis": database}},
        "queue redis": {"queue": {"driver": "redis"}, "database": {"redis": database}, **hooks},
        "queue sqs": {
            "queue": {"driver": "sqs", "sqs": {"endpoint_url": f"http://{address}", "region": "us-east-1"}},
            **hooks,
        },
        "apps mysql": {"app_manager": {"driver": "mysql"}, "database": {"mysql": database}},
        "apps pgsql": {"app_manager": {"driver": "pgsql"}, "database": {"postgres": database}},
        "apps scylladb": {"app_manager": {"driver": "scylladb"}, "database": {"scylladb": {"nodes": [address]}}},
        "apps dynamodb": {
            "app_manager": {"driver": "dynamodb"},
            "database": {
                "dynamodb": {
                    "endpoint_url": f"http://{address}",
                    "aws_access_key_id": "a",
                    "aws_secret_access_key": "b",
                }
            },
        },
    }
    return found[driver]


DRIVERS = [
    "bus redis",
    "bus redis-cluster",
    "bus sentinel",
    "bus nats",
    "bus rabbitmq",
    "bus kafka",
    "cache",
    "limiter",
    "queue redis",
    "queue sqs",
    "apps mysql",
    "apps pgsql",
    "apps scylladb",
    "apps dynamodb",
]


# Sends the process a signal when it begins to import a module.
STOPS_ITSELF = """
import os, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Finder())
"""
# Lets a worker wait before it runs anything of the server.
HANGS = """
import os, time
if "_SOCKUDO_WORKER" in os.environ:
    open(f"{os.getpid()}.hangs", "w").close()
    time.sleep(600)
"""


def children(pid: int) -> list[int]:
    """The processes that a process has started and that run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def insist(server: WorkersProcess) -> None:
    """Send signals until the server is gone."""
    while server.process.returncode is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(ProcessLookupError):
                # Not through the object of the process, which would take its exit status away.
                os.kill(server.process.pid, number)
        await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def starting(
    folder: Path, silent: Silent, driver: str, workers: int, **more: Any
) -> AsyncIterator[WorkersProcess]:
    """Run a server whose processes all wait for a driver, with a folder of its own for temporary files."""
    temporary = folder / "temporary"
    temporary.mkdir()
    environ = {"TMPDIR": str(temporary), "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    given = changes(driver, silent.port) | more
    async with workers_process(folder, "--workers", str(workers), environ=environ, **given) as server:
        await silent.reached(workers)
        yield server
        async with asyncio.timeout(ENDS_WITHIN):
            assert await server.ended() == 0
    assert "Traceback" not in "".join(server.lines)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_stop_ends_a_start_that_waits(tmp_path: Path, silent: Silent, driver: str) -> None:
    async with starting(tmp_path, silent, driver, 1) as server:
        server.send(signal.SIGTERM)
        (told,) = await server.logged(GIVEN_UP)
        assert told["reason"] == "SIGTERM"
    assert server.events("server stopped")


@pytest.mark.parametrize("driver", ["bus redis", "apps scylladb"])
async def test_a_stop_ends_workers_that_wait(tmp_path: Path, silent: Silent, driver: str) -> None:
    path = tmp_path / "s.sock"
    unix = {"unix_socket": {"enabled": True, "path": str(path)}, "shutdown_grace_period": 600}
    async with starting(tmp_path, silent, driver, 2, **unix) as server:
        assert path.exists()
        server.send(signal.SIGTERM)
    assert not path.exists()
    assert sorted(told["worker"] for told in server.events(GIVEN_UP)) == [0, 1]
    assert server.events("supervisor stopped")
    assert not server.events("worker cannot start")


async def test_every_starting_process_may_be_told_to_stop(tmp_path: Path, silent: Silent) -> None:
    async with starting(tmp_path, silent, "cache", 2) as server:
        for pid in (*children(server.process.pid), server.process.pid):
            os.kill(pid, signal.SIGTERM)
    assert len(server.events(GIVEN_UP)) == 2


async def test_an_interrupt_ends_a_start_that_waits(tmp_path: Path, silent: Silent) -> None:
    async with starting(tmp_path, silent, "bus redis", 1) as server:
        server.send(signal.SIGINT)
    (told,) = server.events(GIVEN_UP)
    assert told["reason"] == "SIGINT"


@pytest.mark.parametrize("workers", [1, 2])
async def test_repeated_signals_do_not_spoil_a_given_up_start(tmp_path: Path, silent: Silent, workers: int) -> None:
    async with starting(tmp_path, silent, "apps scylladb", workers) as server:
        await insist(server)


@pytest.mark.parametrize("workers", [1, 2])
async def test_repeated_signals_do_not_spoil_the_end(tmp_path: Path, workers: int) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environ = {"TMPDIR": str(temporary)}
    async with workers_process(tmp_path, "--workers", str(workers), environ=environ) as server:
        await server.greeted()
        await insist(server)
        assert await server.ended() == 0
    assert "Traceback" not in "".join(server.lines)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_stop_before_the_server_is_imported_is_orderly(
    tmp_path: Path, number: signal.Signals, workers: int
) -> None:
    # Python runs it in every process; the command stops itself while it imports what a server or a supervisor needs.
    module = {1: "sockudo.assembly.run", 2: "sockudo.supervisor.reexec"}[workers]
    (tmp_path / "sitecustomize.py").write_text(STOPS_ITSELF.format(number=int(number), module=module))
    environ = {"PYTHONPATH": os.pathsep.join([str(tmp_path), SOURCES])}
    async with workers_process(tmp_path, "--workers", str(workers), environ=environ) as server:
        assert await server.ended() == 0
    assert "Traceback" not in "".join(server.lines)
    assert not any("is ready" in line for line in server.lines)


async def test_a_stop_ends_workers_while_they_import(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HANGS)
    environ = {"PYTHONPATH": os.pathsep.join([str(tmp_path), SOURCES])}
    async with workers_process(tmp_path, workers=2, shutdown_grace_period=600, environ=environ) as server:
        await eventually(lambda: asyncio.to_thread(lambda: len(list(tmp_path.glob("*.hangs")))), 2)
        server.send(signal.SIGTERM)
        assert await server.ended() == 0
    assert not server.events("worker killed: it did not end in time")


async def test_a_stop_ends_a_roll_whose_new_worker_waits(tmp_path: Path, silent: Silent) -> None:
    async with workers_process(tmp_path, workers=2) as server:
        await server.greeted()
        waiting = document(**changes("cache", silent.port))
        (tmp_path / "config.json").write_text(json.dumps(waiting))
        server.send(signal.SIGHUP)
        await silent.reached()
        started = children(server.process.pid)
        assert len(started) == 3
        server.send(signal.SIGTERM)
        assert await server.ended() == 0
        assert not any(is_alive(pid) for pid in started)
    assert [told["worker"] for told in server.events(GIVEN_UP)] == [0]
    assert len(server.events("server stopped")) == 3


async def test_a_reload_of_a_starting_process_does_not_say_ready(tmp_path: Path, silent: Silent) -> None:
    async with service(tmp_path, **changes("cache", silent.port)) as running:
        await silent.reached()
        running.send(signal.SIGHUP)
        await eventually(lambda: logged(running, "reload ignored"))
        assert await running.ended_orderly() == 0
        assert running.heard() == []


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_reload_during_the_readiness_delay_does_not_say_ready(tmp_path: Path, workers: int) -> None:
    async with service(tmp_path, workers=workers, readiness_delay=600) as running:
        await running.says("READY=1")
        running.send(signal.SIGTERM)
        await running.says("STOPPING=1")
        running.forget()
        running.send(signal.SIGHUP)
        await eventually(lambda: logged(running, "reload ignored"))
        running.send(signal.SIGTERM)
        assert await running.ended() == 0
        assert running.heard() == []


async def logged(running: Service, text: str) -> bool:
    return text in running.log


# A server in the event loop of the test


def put_together(path: Path) -> Assembly:
    """Return a server on a unix socket whose last part to start is that of the metrics."""
    unix = {"enabled": True, "path": str(path)}
    given = settings(unix_socket=unix, metrics={"enabled": True, "host": "127.0.0.1", "port": 0})
    return assemble(given, LoopClock(asyncio.get_running_loop()))


async def never(*_: object) -> None:
    await asyncio.Event().wait()


async def test_a_start_that_is_given_up_removes_the_unix_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, stopping = tmp_path / "s.sock", Stopping()
    assembly = put_together(path)
    assert assembly.metrics is not None
    monkeypatch.setattr(assembly.metrics, "start", never)
    start = asyncio.create_task(started(assembly, (), None, stopping))
    await eventually(lambda: asyncio.to_thread(path.exists))
    stopping.ask("test")
    assert await start is None
    assert not path.exists()


async def test_a_start_that_fails_removes_the_unix_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.sock"
    assembly = put_together(path)

    async def fail(*_: object) -> None:
        assert path.exists()
        raise DriverError("no metrics")

    assert assembly.metrics is not None
    monkeypatch.setattr(assembly.metrics, "start", fail)
    with pytest.raises(DriverError, match="no metrics"):
        await started(assembly, (), None, Stopping())
    assert not path.exists()


async def test_a_part_that_does_not_stop_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    captured, stopping = CapturedLog(capsys), Stopping()
    assembly = put_together(tmp_path / "s.sock")
    assert assembly.metrics is not None
    monkeypatch.setattr(assembly.metrics, "start", never)
    monkeypatch.setattr(assembly.metrics, "aclose", never)
    stopping.ask("test")
    assert await asyncio.wait_for(started(assembly, (), None, stopping), 30) is None
    assert len(captured.lines("server stop cut short: a store or the bus does not answer")) == 1
    await assembly.stores.aclose()
