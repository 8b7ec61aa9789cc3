"""Measure what a second worker is worth.

    python benchmarks/workers.py --tools DIR [--rounds 5] [--seconds 5]

DIR holds `wsload.c`. `sockudo serve --workers 1` and `--workers 2` get the same loads, one after the other in each
round: connecting, and publishing on 100 channels of 10 sockets that are spread over the workers.

The load generator needs a core of its own, so on a machine with two cores two workers are never without company, and
what they reach together says nothing. What is compared is the CPU for one unit of work: workers share nothing but the
bus between them, so two of them on two free cores do `2 x (CPU of one worker / CPU of two)` times the work of one.
Printed are that figure, medians of the rounds, and how evenly the work fell on the two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster import free_ports
from support import cpu
from table import CONFIG, compile_tools, running

LOADS = {
    "connections": (("churn", "--conns", "100"), "server_cpu_us_per_unit"),
    "events": (
        ("fanout", "--conns", "1000", "--channels", "100", "--publishers", "8", "--window", "32"),
        "server_cpu_us_per_publish",
    ),
}


@contextmanager
def workers(folder: Path, count: int) -> Iterator[tuple[int, int]]:
    config, port = folder / "workers.json", free_ports(1)
    config.write_text(json.dumps(CONFIG | {"host": "127.0.0.1", "port": port}))
    command = [sys.executable, "-m", "sockudo", "serve", "--config", str(config), "--workers", str(count)]
    with running(command, port) as pid:
        yield port, pid


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def load(folder: Path, arguments: tuple[str, ...], port: int, pid: int, seconds: float) -> dict[str, Any]:
    command = [str(folder / "wsload"), *arguments, "--port", str(port), "--pid", str(pid), "--seconds", str(seconds)]
    before = {child: cpu(child) for child in children(pid)}
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"shares": [cpu(child) - used for child, used in before.items()]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    ratios: dict[str, list[float]] = {name: [] for name in LOADS}
    smallest: dict[str, list[float]] = {name: [] for name in LOADS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compile_tools(args.tools, folder)
        for number in range(args.rounds):
            for what, (arguments, unit) in LOADS.items():
                costs = []
                for count in (1, 2):
                    with workers(folder, count) as (port, pid):
                        found = load(folder, arguments, port, pid, args.seconds)
                    costs.append(found[unit])
                    print(f"round {number + 1} {what} workers {count}: {found}", file=sys.stderr)
                ratios[what].append(2 * costs[0] / costs[1])
                smallest[what].append(min(found["shares"]) / sum(found["shares"]))
    print("| what | two workers do | the smaller share |\n|---|---|---|")
    for what in LOADS:
        share = statistics.median(smallest[what])
        print(f"| {what} | {statistics.median(ratios[what]):.2f} x one | {share:.0%} |")


if __name__ == "__main__":
    main()
