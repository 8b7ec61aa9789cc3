"""Measure three nodes on one bus beside one node alone.

    python benchmarks/cluster.py [--buses redis,nats] [--rates 2000,3000,5000] [--rounds 3] [--seconds 5]

900 sockets are on 100 channels, spread over the nodes, so that an event is delivered nine times; 8 keep-alive
publishers post everything to the first node. Each round runs every bus and the lone node, one after the other, at each
rate and as fast as it goes. Printed are the CPU of all servers (nodes and broker) for an event, the 99th percentile of
the time from post to delivery, and the share of deliveries that came; medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from load import run_load
from servers import CONFIG, free_ports, running, sockudo_command

NODES = 3
SOCKETS = ("--conns", "900", "--channels", "100", "--publishers", "8")


@contextmanager
def broker(bus: str) -> Iterator[tuple[list[int], dict[str, Any]]]:
    """Run a broker; yield its process and the settings that lead to it."""
    port = free_ports(1)
    if bus == "alone":
        yield [], {"driver": "local"}
    elif bus == "redis":
        program = shutil.which("redis-server") or "redis-server"
        with running([program, "--port", str(port), "--save", "", "--appendonly", "no"], port) as pid:
            url = {"url": f"redis://127.0.0.1:{port}"}
            yield [pid], {"driver": "redis", "redis": {"redis_pub_options": url, "redis_sub_options": url}}
    else:
        beside = Path(sys.executable).parent / "nats-server"
        program = str(beside) if beside.exists() else "nats-server"
        with running([program, "-a", "127.0.0.1", "-p", str(port)], port) as pid:
            yield [pid], {"driver": "nats", "nats": {"servers": [f"nats://127.0.0.1:{port}"]}}


@contextmanager
def nodes(folder: Path, adapter: dict[str, Any], count: int) -> Iterator[tuple[int, list[int]]]:
    """Run nodes on ports in a row; yield the first port and the processes."""
    first = free_ports(count)
    config = folder / "node.json"
    config.write_text(json.dumps(CONFIG | {"adapter": adapter}))
    with ExitStack() as stack:
        pids = [
            stack.enter_context(running(sockudo_command(config, port), port)) for port in range(first, first + count)
        ]
        yield first, pids


def load(count: int, port: int, pids: list[int], rate: int | None, seconds: float) -> dict[str, Any]:
    """Run the load on nodes in a row; without a rate as fast as it goes."""
    mode = ("fanout", "--window", "32") if rate is None else ("rate", "--rate", str(rate))
    return run_load((*mode, *SOCKETS, "--ports", str(count)), port, pids, seconds, check=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--buses", default="alone,redis,nats")
    parser.add_argument("--rates", default="2000,3000,5000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    rates: list[int | None] = [*map(int, filter(None, args.rates.split(","))), None]
    results: dict[tuple[str, int | None], list[dict[str, Any]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(args.rounds):
            for bus in args.buses.split(","):
                count = 1 if bus == "alone" else NODES
                with broker(bus) as (brokers, adapter), nodes(folder, adapter, count) as (port, pids):
                    for rate in rates:
                        found = load(count, port, brokers + pids, rate, args.seconds)
                        results[bus, rate].append(found)
                        print(f"round {number + 1} {bus} {rate}: {found}", file=sys.stderr)
    print("| bus | events a second | CPU an event | p99 | everything arrived |\n|---|---|---|---|---|")
    for (bus, rate), found in results.items():

        def median(key: str, rounds: list[dict[str, Any]] = found) -> float:
            return statistics.median(entry[key] for entry in rounds)

        per_s = f"{median('published_per_s'):,.0f}" + (" (as fast as it goes)" if rate is None else "")
        whole = "yes" if all(entry["complete"] for entry in found) else "no"
        print(
            f"| {bus} | {per_s} | {median('server_cpu_us_per_publish'):.0f} us | {median('p99_ms'):.1f} ms | {whole} |"
        )


if __name__ == "__main__":
    main()
