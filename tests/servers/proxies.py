"""The proxies of `ops/`, run as they are shipped but for ports, addresses and the certificate."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.servers.certificates import Certificate, make_certificate
from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess, program, wait_until
from tests.support.source import ROOT

OPS: Final = ROOT / "ops"


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs.

    Attributes:
        port: where it takes TLS.
        plain_port: where it takes plain HTTP.
        certificate: the one that it shows, for `localhost`.
    """

    port: int
    plain_port: int
    certificate: Certificate
    process: ServerProcess

    def log_tail(self) -> str:
        """Return the end of its log."""
        return self.process.log_tail()


@dataclass(frozen=True)
class _Places:
    folder: Path
    certificate: Certificate
    port: int
    plain_port: int
    nodes: Sequence[int]


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """Return a configuration with other places in it; each of them must be there."""
    for old, new in changes:
        assert old in text, f"the recipe has no {old!r}"
        text = text.replace(old, new)
    return text


def _nginx(places: _Places) -> list[str]:
    servers = "".join(f"server 127.0.0.1:{port} max_fails=2 fail_timeout=2s;" for port in places.nodes)
    text = replaced(
        (OPS / "nginx" / "nginx.conf").read_text(),
        ("user www-data;", "user root; daemon off;"),
        # A test has no room for 100 000 sockets.
        ("worker_processes auto;\n", "worker_processes 1;\n"),
        ("worker_rlimit_nofile 200000;\n", ""),
        ("worker_connections 100000;", "worker_connections 500;"),
        ("/run/nginx.pid", str(places.folder / "nginx.pid")),
        ("/var/log/nginx/error.log", "stderr"),
        ("access_log off;", f"access_log off; {_temporary(places.folder)}"),
        ("server 127.0.0.1:6001 max_fails=2 fail_timeout=2s;", servers),
        ("listen 80;", f"listen 127.0.0.1:{places.plain_port};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{places.port} ssl"),
        ("/etc/ssl/sockudo/fullchain.pem", str(places.certificate.cert)),
        ("/etc/ssl/sockudo/privkey.pem", str(places.certificate.key)),
    )
    config = places.folder / "nginx.conf"
    config.write_text(text)
    return [program("nginx", "nginx"), "-e", "stderr", "-p", str(places.folder), "-c", str(config)]


def _temporary(folder: Path) -> str:
    """Return where nginx keeps what does not fit into its memory."""
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"{name}_temp_path {folder}/{name};" for name in names)


def _caddy(places: _Places) -> list[str]:
    certificate = places.certificate
    text = replaced(
        (OPS / "caddy" / "Caddyfile").read_text(),
        ("{\n\tservers {", f"{{\n\tadmin off\n\thttp_port {places.plain_port}\n\tservers {{"),
        ("ws.example.com {", f"https://localhost:{places.port} {{\n\ttls {certificate.cert} {certificate.key}"),
        ("127.0.0.1:6001", " ".join(f"127.0.0.1:{port}" for port in places.nodes)),
    )
    config = places.folder / "Caddyfile"
    config.write_text(text)
    return [program("caddy", "caddy"), "run", "--config", str(config), "--adapter", "caddyfile"]


def _haproxy(places: _Places) -> list[str]:
    site = places.folder / "site.pem"
    site.write_text(places.certificate.cert.read_text() + places.certificate.key.read_text())
    text = replaced(
        (OPS / "haproxy" / "haproxy.cfg").read_text(),
        ("maxconn 100000", "maxconn 500"),
        ("bind :80", f"bind 127.0.0.1:{places.plain_port}"),
        ("bind :443", f"bind 127.0.0.1:{places.port}"),
        ("/etc/ssl/sockudo/site.pem", str(site)),
    )
    text = re.sub(r"(?m)^    server node\d .*\n", "", text)
    text += "".join(f"    server node{number} 127.0.0.1:{port}\n" for number, port in enumerate(places.nodes, 1))
    config = places.folder / "haproxy.cfg"
    config.write_text(text)
    return [program("haproxy", "haproxy"), "-db", "-f", str(config)]


PROXIES: Final[dict[str, Callable[[_Places], list[str]]]] = {"nginx": _nginx, "caddy": _caddy, "haproxy": _haproxy}


@contextlib.contextmanager
def proxy(kind: str, folder: Path, *nodes: int) -> Iterator[Proxy]:
    """Run a proxy before nodes on these ports; it takes connections when this returns."""
    folder.mkdir(exist_ok=True)
    places = _Places(folder, make_certificate(folder), free_port(), free_port(), nodes)
    command = PROXIES[kind](places)
    # Caddy keeps what it makes by itself in the home of its user.
    process = ServerProcess(command, folder, {"HOME": str(folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""})
    running = Proxy(places.port, places.plain_port, places.certificate, process)
    try:
        process.start()
        wait_until(lambda: _listens(running), f"{kind} listens")
        yield running
    finally:
        process.end()


def _listens(running: Proxy) -> bool:
    assert running.process.is_running, running.log_tail()
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", running.port)) == 0
