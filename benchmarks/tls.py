"""Measure what TLS costs the server beside plain sockets: connecting, delivering, memory.

    python benchmarks/tls.py [--sockets 500] [--events 200] [--rounds 3] [--key ec|rsa]

Both servers get every load in each round, in turn. The sockets subscribe to one channel. An event goes to all of them,
and the next is published when all have it ("lone"), or sixteen at a time ("many"). Only the CPU of the server is
counted. The figures are medians.
"""

from __future__ import annotations

import argparse
import resource
import ssl
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from support import Client, Publisher, cpu, rss, serving

CHANNEL: Final = "news"
DATA: Final = "x" * 60
MANY: Final = 16
KEYS: Final = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["rsa:2048"]}


@contextmanager
def certificate(kind: str) -> Iterator[tuple[Path, Path]]:
    """Make a certificate for localhost; yield its file and that of its key."""
    with tempfile.TemporaryDirectory() as name:
        cert, key = Path(name) / "cert.pem", Path(name) / "key.pem"
        command = ["openssl", "req", "-x509", "-nodes", "-days", "1", "-subj", "/CN=localhost", "-newkey", *KEYS[kind]]
        command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
        subprocess.run(command, check=True, capture_output=True)
        yield cert, key


class Load:
    """One server and what it cost."""

    def __init__(self, port: int, pid: int, context: ssl.SSLContext | None) -> None:
        self._port, self._pid, self._context = port, pid, context

    def measure(self, sockets: int, events: int) -> dict[str, float]:
        """Return microseconds of CPU for each connection and each delivery, and bytes for each connection."""
        empty, before = rss(self._pid), cpu(self._pid)
        clients = [Client(self._port, context=self._context) for _ in range(sockets)]
        for client in clients:
            client.subscribe(CHANNEL)
            client.read_until(b"subscription_succeeded")
        found = {"connect": (cpu(self._pid) - before) / sockets * 1e6, "memory": (rss(self._pid) - empty) / sockets}
        publisher = Publisher(self._port, self._context)
        for name, together in (("lone", 1), ("many", MANY)):
            before = cpu(self._pid)
            for _ in range(events // together):
                for _ in range(together):
                    publisher.publish([CHANNEL], DATA)
                for client in clients:
                    missing = together
                    while missing > 0:
                        missing -= client.socket.recv(1 << 16).count(b'"event":"event"')
            found[name] = (cpu(self._pid) - before) / (events // together * together * sockets) * 1e6
        for client in clients:
            client.socket.close()
        return found


def main() -> None:
    """Run the rounds and print their medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--key", choices=sorted(KEYS), default="ec")
    args = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with certificate(args.key) as (cert, key):
        section: dict[str, Any] = {"enabled": True, "cert_path": str(cert), "key_path": str(key)}
        context = ssl.create_default_context(cafile=cert)
        rounds: list[dict[str, dict[str, float]]] = []
        for _ in range(args.rounds):
            results = {}
            for name, used, settings in (("plain", None, {}), ("tls", context, {"ssl": section})):
                with serving(app={"max_connections": 0}, **settings) as (port, pid):
                    results[name] = Load(port, pid, used).measure(args.sockets, args.events)
            rounds.append(results)
    print(f"{'':10}{'plain':>10}{'TLS':>10}{'ratio':>8}")
    for row, unit in (("connect", "us"), ("lone", "us"), ("many", "us"), ("memory", "bytes")):
        plain, tls = (statistics.median(one[name][row] for one in rounds) for name in ("plain", "tls"))
        ratio = statistics.median(one["tls"][row] / one["plain"][row] for one in rounds)
        print(f"{row:10}{plain:10.2f}{tls:10.2f}{ratio:8.2f}  {unit}")


if __name__ == "__main__":
    main()
