"""Measure this server beside `wslimit`, the least that a server can do, and print the ratios.

    python benchmarks/table.py --tools DIR [--rounds 3] [--seconds 4] [--rows lone,post] [--json FILE]

DIR holds `wsload.c` and `wslimit.c`. Both are compiled into a temporary folder. Each row is one load; in each round
every server gets it once, one after the other, so that a change of the machine's speed meets all of them. What is
compared is the CPU that the server used for one unit of work, as a multiple of what `wslimit` used; the medians of the
rounds are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONFIG = {
    "app_manager": {
        "array": {
            "apps": [
                {
                    "id": "1",
                    "key": "app-key",
                    "secret": "app-secret",
                    "enable_client_messages": True,
                    "max_client_events_per_second": 10_000_000,
                    "max_presence_members_per_channel": 100_000,
                }
            ]
        }
    }
}


@dataclass(frozen=True)
class Row:
    """One load. `yardstick` is the load of `wslimit` that it is compared with, or None for an absolute figure."""

    name: str
    what: str
    load: tuple[str, ...]
    unit: str = "server_cpu_us_per_unit"
    yardstick: tuple[str, ...] | None = None
    bar: float = 0.0
    stretch: float = 0.0


LONE = ("fanout", "--conns", "1000", "--window", "4")
LOADED = ("fanout", "--conns", "1000", "--publishers", "8", "--window", "32")
MANY = ("fanout", "--conns", "1000", "--channels", "100", "--publishers", "8", "--window", "32")
POSTS = ("fanout", "--conns", "0", "--publishers", "8", "--window", "1000000")
CHURN = ("churn", "--conns", "100")
STEADY = ("rate", "--conns", "500", "--rate", "60", "--publishers", "4")

ROWS = (
    Row("lone", "a delivery, one publisher", LONE, yardstick=LONE, bar=1.7, stretch=1.2),
    Row("loaded", "a delivery under load", LOADED, yardstick=LOADED, bar=0.45, stretch=0.15),
    Row("many", "a delivery, POST included, 100 channels", MANY, yardstick=LONE, bar=3.5, stretch=1.8),
    Row("post", "a POST", POSTS, unit="server_cpu_us_per_publish", yardstick=POSTS, bar=8, stretch=4.5),
    Row("churn", "a connect-subscribe-drop", CHURN, yardstick=CHURN, bar=5, stretch=2.5),
    Row("steady", "a delivery at a steady load", STEADY, yardstick=STEADY, bar=1.8, stretch=1.2),
    Row(
        "client",
        "client events: deliveries/s",
        ("client", "--conns", "100", "--channels", "10"),
        unit="deliveries_per_s",
    ),
    Row(
        "client-http",
        "the same fan-out over HTTP: deliveries/s",
        ("fanout", "--conns", "100", "--channels", "10", "--publishers", "8"),
        unit="deliveries_per_s",
    ),
)


def compile_tools(sources: Path, into: Path) -> None:
    for name, libraries in (("wsload", ["-lcrypto"]), ("wslimit", [])):
        subprocess.run(["cc", "-O2", "-o", into / name, sources / f"{name}.c", *libraries], check=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{command[0]} does not start") from None
                time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def sockudo(folder: Path) -> Iterator[tuple[int, int]]:
    config, port = folder / "config.json", free_port()
    config.write_text(json.dumps(CONFIG))
    command = [
        sys.executable,
        "-m",
        "sockudo",
        "serve",
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with running(command, port) as pid:
        yield port, pid


@contextmanager
def wslimit(folder: Path) -> Iterator[tuple[int, int]]:
    port = free_port()
    with running([str(folder / "wslimit"), str(port)], port) as pid:
        yield port, pid


def load(folder: Path, row: tuple[str, ...], port: int, pid: int, seconds: float, *, check: bool) -> dict[str, Any]:
    command = [str(folder / "wsload"), *row, "--app-id", "1", "--port", str(port), "--pid", str(pid)]
    command += ["--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in ((0,) if check else (0, 2)):
        raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(folder: Path, rows: list[Row], rounds: int, seconds: float) -> dict[str, list[dict[str, float]]]:
    """Return, for each row, one entry a round: our figure, the yardstick's, and both p99."""
    results: dict[str, list[dict[str, float]]] = {row.name: [] for row in rows}
    for number in range(rounds):
        for row in rows:
            entry: dict[str, float] = {}
            if row.yardstick is not None:
                with wslimit(folder) as (port, pid):
                    # It knows no channels, so a load on many is not checked there.
                    found = load(folder, row.yardstick, port, pid, seconds, check=False)
                unit = "server_cpu_us_per_unit" if row.yardstick == LONE else row.unit
                entry |= {"yardstick": found[unit], "yardstick_p99": found["p99_ms"]}
            with sockudo(folder) as (port, pid):
                found = load(folder, row.load, port, pid, seconds, check=True)
            entry |= {"ours": found[row.unit], "p99": found["p99_ms"], "per_s": found["deliveries_per_s"]}
            entry["published_per_s"] = found["published_per_s"]
            results[row.name].append(entry)
            print(f"round {number + 1} {row.name}: {entry}", file=sys.stderr)
    return results


def idle_memory(folder: Path, connections: int) -> float:
    """Return KB a subscribed connection, on a fresh server."""
    with sockudo(folder) as (port, pid):
        row = ("idle", "--conns", str(connections))
        return float(load(folder, row, port, pid, 3, check=True)["mem_kb_per_conn"])


def median(entries: list[dict[str, float]], name: str) -> float:
    return statistics.median(entry[name] for entry in entries)


def report(rows: list[Row], results: dict[str, list[dict[str, float]]]) -> None:
    print("| what | bar | stretch | measured | ours | yardstick |\n|---|---|---|---|---|---|")
    for row in rows:
        entries = results[row.name]
        if row.yardstick is None:
            print(f"| {row.what} | | | {median(entries, 'ours'):,.0f} | | |")
            continue
        ratio = statistics.median(entry["ours"] / entry["yardstick"] for entry in entries)
        ours, theirs = median(entries, "ours"), median(entries, "yardstick")
        print(f"| {row.what} | {row.bar} x | {row.stretch} x | {ratio:.2f} x | {ours:.2f} us | {theirs:.2f} us |")
        if row.name == "steady":
            p99 = statistics.median(entry["p99"] / entry["yardstick_p99"] for entry in entries)
            print(f"| its p99 | 1.5 x | 1.0 x | {p99:.2f} x | {median(entries, 'p99'):.2f} ms | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rows", default="")
    parser.add_argument("--idle", type=int, default=9000, help="connections of the memory row; 0 leaves it out")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    chosen = [row for row in ROWS if not args.rows or row.name in args.rows.split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compile_tools(args.tools, folder)
        results = measure(folder, chosen, args.rounds, args.seconds)
        memory = idle_memory(folder, args.idle) if args.idle else 0.0
    report(chosen, results)
    if memory:
        print(f"| memory a subscribed connection | 6 KB | 3 KB | {memory:.2f} KB | | |")
    if args.json:
        args.json.write_text(json.dumps({"rows": results, "memory": memory, "cpus": os.cpu_count()}, indent=1))


if __name__ == "__main__":
    main()
