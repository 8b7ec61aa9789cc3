"""Programs that come with apt-get."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.setup.commands import SetupError, run, say


def find_command(name: str) -> str | None:
    """Return the path of a program or a header, or None; Debian has PostgreSQL's server beside the usual path."""
    if name.startswith("/"):
        return name if Path(name).exists() else None
    beside = sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), reverse=True)
    return shutil.which(name) or next(iter(beside), None)


@dataclass(frozen=True)
class Programs:
    """Programs that tests start, and the packages that have them.

    Attributes:
        name: what people call them.
        needed_by: which tests.
        packages: of apt-get.
        commands: of each of these, one of the alternatives must be there; a header has its whole path.
    """

    name: str
    needed_by: str
    packages: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]

    def find(self) -> list[str | None]:
        """Return the path of the first alternative of each command, or None."""
        return [next(filter(None, map(find_command, names)), None) for names in self.commands]

    def install(self) -> None:
        """Install them where one is missing.

        Raises:
            SetupError: this is not root on a machine with apt-get, or apt-get fails.
        """
        if all(self.find()):
            return
        apt, names = shutil.which("apt-get"), " ".join(self.packages)
        if apt is None or os.geteuid() != 0:
            raise SetupError(f"{self.name} is missing: install it (`apt-get install {names}`) to run {self.needed_by}")
        say(f"installing {names} with apt-get")
        # The packages of servers start one, unless they are told not to.
        environ = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        run([apt, "update", "--quiet"], environ=environ)
        run([apt, "install", "--quiet", "--yes", "--no-install-recommends", *self.packages], environ=environ)
        if not all(self.find()):
            raise SetupError(f"apt-get installed {names}, but not all commands of {self.name} are there")


CHROMIUM: Final = Programs(
    "Chromium",
    "the browser tests",
    ("chromium",),
    (("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),),
)
REDIS: Final = Programs(
    "Redis",
    "the tests of clusters",
    ("redis-server", "redis-sentinel", "redis-tools"),
    (("redis-server",), ("redis-sentinel",), ("redis-cli",)),
)
RABBITMQ: Final = Programs(
    "RabbitMQ", "the tests of its adapter", ("rabbitmq-server",), (("rabbitmq-server",), ("epmd",))
)
MARIADB: Final = Programs(
    "MariaDB",
    "the tests of apps in MySQL",
    ("mariadb-server", "mariadb-client"),
    (("mariadbd",), ("mariadb-install-db",), ("mariadb",)),
)
POSTGRES: Final = Programs(
    "PostgreSQL",
    "the tests of apps in it",
    ("postgresql", "postgresql-client"),
    (("initdb",), ("postgres",), ("psql",), ("pg_isready",)),
)
JAVA: Final = Programs(
    # A program of the tests is compiled when it is run.
    "Java with Maven",
    "the tests with Kafka and Cassandra",
    ("default-jdk-headless", "maven"),
    (("java",), ("javac",), ("mvn",)),
)
PROXIES: Final = Programs(
    "nginx, HAProxy, Caddy or curl",
    "the tests of the recipes for proxies",
    ("nginx", "haproxy", "caddy", "curl", "openssl"),
    (("nginx",), ("haproxy",), ("caddy",), ("curl",), ("openssl",)),
)
FAKETIME: Final = Programs("faketime", "the tests of clocks that are set", ("faketime",), (("faketime",),))
C_COMPILER: Final = Programs(
    "a C compiler or OpenSSL's headers",
    "the benchmarks that the documentation names",
    ("gcc", "libc6-dev", "libssl-dev"),
    (("cc",), ("/usr/include/openssl/hmac.h",)),
)
PROMETHEUS: Final = Programs("Prometheus", "the tests of metrics", ("prometheus",), (("prometheus",), ("promtool",)))


def find_browser() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return CHROMIUM.find()[0]
