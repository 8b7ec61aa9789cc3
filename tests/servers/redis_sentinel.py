"""A master, a replica and three sentinels that watch them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.servers.ports import free_port
from tests.servers.processes import wait_until
from tests.servers.redis_server import PASSWORD, RedisProcess, running

MASTER_NAME = "bus-master"
SENTINEL_PASSWORD = "sentinel-s3cret"

_CONFIG = """\
sentinel monitor {name} 127.0.0.1 {port} 2
sentinel auth-pass {name} "{password}"
sentinel down-after-milliseconds {name} 500
sentinel failover-timeout {name} 3000
requirepass {own}
sentinel sentinel-pass {own}
"""


class SentinelProcess(RedisProcess):
    """One sentinel."""

    def __init__(self, folder: Path, master_port: int) -> None:
        folder.mkdir(parents=True)
        config = folder / "sentinel.conf"
        own = SENTINEL_PASSWORD
        config.write_text(_CONFIG.format(name=MASTER_NAME, port=master_port, password=PASSWORD, own=own))
        # The file comes first on the command line.
        super().__init__(folder, "--sentinel", file=config, login=("--no-auth-warning", "-a", own))

    def watches(self, replicas: int, sentinels: int) -> bool:
        """Whether it has found all the others."""
        found = self.cli("SENTINEL", "MASTER", MASTER_NAME).splitlines()
        fields = dict(zip(found[::2], found[1::2], strict=False))
        return fields.get("num-slaves") == str(replicas) and fields.get("num-other-sentinels") == str(sentinels)

    def master_port(self) -> int:
        """Return where it says that the master is."""
        return int(self.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME).splitlines()[1])


class SentinelGroup:
    """Two servers that need a password, one of them the replica of the other, and three sentinels."""

    def __init__(self, folder: Path) -> None:
        login = ("--no-auth-warning", "-a", PASSWORD)
        needs = ["--requirepass", PASSWORD, "--masterauth", PASSWORD, "--repl-diskless-sync-delay", "0"]
        self.master = RedisProcess(folder / "master", *needs, login=login)
        self.replica = RedisProcess(
            folder / "replica", *needs, "--replicaof", f"127.0.0.1 {self.master.port}", login=login
        )
        self.sentinels = [SentinelProcess(folder / f"sentinel{number}", self.master.port) for number in range(3)]

    @property
    def hosts(self) -> tuple[tuple[str, int], ...]:
        """Where the sentinels are; the first one is not there."""
        return (("127.0.0.1", free_port()), *(("127.0.0.1", sentinel.port) for sentinel in self.sentinels))

    def wait_until_ready(self) -> None:
        """Return when every sentinel knows everyone."""
        wait_until(lambda: "master_link_status:up" in self.replica.cli("INFO", "replication"), "the replica follows")
        wait_until(lambda: all(sentinel.watches(1, 2) for sentinel in self.sentinels), "the sentinels know everyone")

    def log_tail(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(server.log_tail() for server in (self.master, self.replica, *self.sentinels))


@contextmanager
def running_group(folder: Path) -> Iterator[SentinelGroup]:
    """Start a group, and end it whatever happens."""
    with ExitStack() as stack:
        group = SentinelGroup(folder)
        for server in (group.master, group.replica, *group.sentinels):
            stack.enter_context(running(server))
        group.wait_until_ready()
        yield group


@pytest.fixture
def sentinel_group(tmp_path: Path) -> Iterator[SentinelGroup]:
    """A group for one test, which may do with it what it likes."""
    with running_group(tmp_path / "sentinels") as group:
        yield group


@pytest.fixture(scope="session")
def shared_sentinel_group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelGroup]:
    """A group that anybody may use; never stop a part of it."""
    with running_group(tmp_path_factory.mktemp("sentinels")) as group:
        yield group
