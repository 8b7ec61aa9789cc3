"""The compose files: their form, and servers with the settings that they give."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from sockudo.config.model import Settings
from tests.clients.client import ApiClient, PusherClient
from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess as ProxyProcess
from tests.servers.processes import program, wait_until
from tests.servers.proxies import replaced
from tests.servers.redis_server import RedisProcess
from tests.servers.redis_server import running as running_redis
from tests.servers.server import ServerProcess, clean_environ, serving
from tests.support.source import ROOT

FOLDER: Final = ROOT / "ops" / "compose"
FILES: Final = ("one-node.yaml", "three-nodes.yaml")
KEY, SECRET = "chat-key", "compose-secret-4711"


def services(file: str) -> dict[str, Any]:
    """Return the services of a file, with the variable in it that has no default."""
    text = re.sub(r"\$\{SOCKUDO_DEFAULT_APP_SECRET:\?[^}]*\}", SECRET, (FOLDER / file).read_text())
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    for service in found.values():
        service["environment"] = {name: str(value) for name, value in service.get("environment", {}).items()}
    return found


def nodes(file: str) -> dict[str, Any]:
    """Return the services that are nodes."""
    return {name: service for name, service in services(file).items() if service["image"] == "sockudo:local"}


def test_the_compose_files_have_the_form_that_compose_reads() -> None:
    command: list[Path | str] = [
        Path(sys.executable).with_name("check-jsonschema"),
        "--builtin-schema",
        "vendor.compose-spec",
    ]
    command += [FOLDER / file for file in FILES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", FILES)
def test_a_node_has_no_rights_that_it_does_not_need(file: str) -> None:
    for node in nodes(file).values():
        assert node["read_only"] is True
        assert node["cap_drop"] == ["ALL"]
        assert node["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in node, "the image has one"


@pytest.mark.parametrize("file", FILES)
def test_compose_waits_longer_than_a_node_takes_to_leave(file: str) -> None:
    for node in nodes(file).values():
        grace = int(node["environment"]["SHUTDOWN_GRACE_PERIOD"])
        assert int(node["stop_grace_period"].removesuffix("s")) >= grace + 15


@pytest.mark.parametrize("file", FILES)
def test_no_secret_has_a_default(file: str) -> None:
    secrets = [line for line in (FOLDER / file).read_text().splitlines() if "SECRET:" in line]
    assert secrets
    assert all(":?" in line for line in secrets)


@pytest.mark.parametrize("file", FILES)
def test_the_server_accepts_the_settings_of_every_node(file: str, tmp_path: Path) -> None:
    environments = [node["environment"] for node in nodes(file).values()]
    for environ in [one for number, one in enumerate(environments) if one not in environments[:number]]:
        done = subprocess.run(
            [sys.executable, "-m", "sockudo", "check-config"],
            cwd=tmp_path,
            env=clean_environ() | environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "unknown" not in done.stdout + done.stderr


def test_metrics_of_the_single_node_stay_on_the_machine() -> None:
    (node,) = nodes("one-node.yaml").values()
    assert f"{Settings().port}:{Settings().port}" in node["ports"]
    assert all(port.startswith("127.0.0.1:") for port in node["ports"] if "9601" in port)


@dataclass
class Cluster:
    """What three-nodes.yaml describes, as processes of this machine."""

    port: int
    nodes: list[ServerProcess]
    proxy: ProxyProcess


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis(RedisProcess(folder / "redis")))
        started = []
        for name, node in nodes("three-nodes.yaml").items():
            (folder / name).mkdir()
            # In a container each has an address of its own, so all may have one port of metrics.
            changes = {"REDIS_URL": f"{redis.url}/0", "SHUTDOWN_GRACE_PERIOD": "2", "METRICS_PORT": "0"}
            environ = node["environment"] | changes
            port = ["--host", "127.0.0.1", "--port", str(free_port())]
            started.append(stack.enter_context(serving(folder / name, port, environ)))
        port_of_proxy = free_port()
        proxy = haproxy(folder / "haproxy", port_of_proxy, [node.port for node in started])
        stack.callback(proxy.end)
        proxy.start()
        wait_until(lambda: is_up(port_of_proxy), "HAProxy finds a node")
        yield Cluster(port_of_proxy, started, proxy)


def haproxy(folder: Path, port: int, ports: list[int]) -> ProxyProcess:
    folder.mkdir()
    text = replaced(
        (FOLDER / "haproxy.cfg").read_text(),
        ("maxconn 90000", "maxconn 500"),
        ("bind :6001", f"bind 127.0.0.1:{port}"),
        # No names have to be found here.
        (" resolvers containers init-addr libc,none", ""),
        *((f"node{number}:6001", f"127.0.0.1:{at}") for number, at in enumerate(ports, 1)),
    )
    (folder / "haproxy.cfg").write_text(text)
    return ProxyProcess([program("haproxy", "haproxy"), "-db", "-f", str(folder / "haproxy.cfg")], folder)


def is_up(port: int) -> bool:
    command = [program("curl", "curl"), "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]
    done = subprocess.run([*command, f"http://127.0.0.1:{port}/up"], capture_output=True, text=True, check=False)
    return done.stdout == "200"


async def test_three_nodes_behind_the_proxy_are_one_server(tmp_path: Path) -> None:
    with cluster(tmp_path) as running:
        clients = [PusherClient(running.port, key=KEY) for _ in range(6)]
        for client in clients:
            await client.__aenter__()
            await client.subscribe("room")
        api = ApiClient(running.port, key=KEY, secret=SECRET)
        for number in range(3):
            # Each request is a connection of its own, and goes to the node with the fewest.
            await api.trigger("room", str(number))
        for client in clients:
            assert [(await client.expect("event"))["data"] for _ in range(3)] == ["0", "1", "2"]
        # One node leaves in order: its clients are sent away, the others stay, and publishing goes on.
        running.nodes[0].send_signal(signal.SIGTERM)
        for number in range(20):
            await api.trigger("other", str(number))
        assert await running.nodes[0].exit_status() == 0
        for client in clients:
            await client.close()


def test_haproxy_accepts_its_configuration(tmp_path: Path) -> None:
    command = [program("haproxy", "haproxy"), "-c", "-f", str(FOLDER / "haproxy.cfg")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_proxy_of_the_cluster_is_the_recipe_without_tls() -> None:
    recipe = (ROOT / "ops" / "haproxy" / "haproxy.cfg").read_text()
    for line in (FOLDER / "haproxy.cfg").read_text().splitlines():
        if line.startswith("    timeout") or "httpchk" in line or "retry" in line:
            assert line in recipe, json.dumps(line)
