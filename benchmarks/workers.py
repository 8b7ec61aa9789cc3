"""Measure what a second worker is worth.

    python benchmarks/workers.py [--share 0.4] [--rounds 3] [--seconds 5]
    python benchmarks/workers.py --cpu [--rounds 10] [--seconds 3]

`sockudo serve --workers 1` and `--workers 2` get the same loads, one after the other in each
round: connecting; publishing where nobody is; and publishing on channels whose sockets are spread over the workers, 100
channels of 10 and 10 channels of 100, so that every event crosses between them.

On a machine with two cores, two workers and the load generator would stand in each other's way, and the figures would
say nothing of the workers. So every worker gets `--share` of one core and no more, by a control group of its own (this
needs Linux and root): then workers are what is scarce, whether there are one or two of them, and the generator is not.
Printed are the units of work a second and how many times those of one worker two of them do, medians of the rounds.

A share distorts how much a worker puts into one system call. So `--cpu` gives the workers no share. It compares the
CPU of an event whose subscribers are on both workers with that of an event on one worker, at the same steady rates.
Servers of one and of two workers run at the same time and get the same load at the same time, so that what else the
machine does slows both of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

from load import run_load
from rows import CHURN
from servers import CONFIG, free_ports, running, sockudo_command

# So many that each worker has something to do at any time.
PUBLISHERS = ("--publishers", "64", "--window", "256")
LOADS = {
    "connections": (CHURN, "sessions_per_s"),
    "publishes": (("fanout", "--conns", "0", *PUBLISHERS), "published_per_s"),
    "events to 10 sockets": (("fanout", "--conns", "1000", "--channels", "100", *PUBLISHERS), "published_per_s"),
    "events to 100 sockets": (("fanout", "--conns", "1000", "--channels", "10", *PUBLISHERS), "published_per_s"),
}
# `--cpu` compares these loads, by their sockets and their events a second.
STEADY = {
    "10 sockets, 1000 a second": ("--conns", "1000", "--channels", "100", "--publishers", "8", "--rate", "1000"),
    "100 sockets, 200 a second": ("--conns", "1000", "--channels", "10", "--publishers", "8", "--rate", "200"),
}
# Short, so that a worker that has used up its share waits for the next one for milliseconds only.
PERIOD_US = 5000


@contextmanager
def share_of_a_core(pid: int, share: float) -> Iterator[None]:
    """Let a process have a share of one core; it must end before the group can be removed."""
    first = Path("/sys/fs/cgroup/cpu")
    group = (first if first.is_dir() else Path("/sys/fs/cgroup")) / f"sockudo-bench-{pid}"
    group.mkdir()
    if first.is_dir():
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(int(share * PERIOD_US)))
    else:
        (group / "cpu.max").write_text(f"{int(share * PERIOD_US)} {PERIOD_US}")
    (group / "cgroup.procs").write_text(str(pid))
    try:
        yield
    finally:
        (group.parent / "cgroup.procs").write_text(str(pid))
        group.rmdir()


@contextmanager
def serving(folder: Path, count: int) -> Iterator[tuple[int, list[int]]]:
    """Run workers; yield their port and processes once all of them answer."""
    config, port = folder / "workers.json", free_ports(1)
    config.write_text(json.dumps(CONFIG))
    with running(sockudo_command(config, port, "--workers", str(count)), port) as pid:
        # Any of the workers may answer, so that all of them do is a matter of asking often enough.
        for _ in range(20 * count):
            urlopen(f"http://127.0.0.1:{port}/up").close()
        # One worker is the process itself.
        yield port, children(pid) or [pid]


@contextmanager
def workers(folder: Path, count: int, share: float) -> Iterator[int]:
    with serving(folder, count) as (port, pids), ExitStack() as shares:
        for worker in pids:
            shares.enter_context(share_of_a_core(worker, share))
        yield port


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def compare_cpu(folder: Path, rounds: int, seconds: float) -> None:
    """Print the CPU of an event on one worker and on two."""
    print("| an event to | one worker | two workers | |\n|---|---|---|---|")
    with serving(folder, 1) as one, serving(folder, 2) as two, ThreadPoolExecutor(2) as both:
        for what, options in STEADY.items():
            costs: list[list[float]] = []
            for number in range(1, rounds + 1):
                loads = [both.submit(run_load, ("rate", *options), *server, seconds) for server in (one, two)]
                costs.append([load.result()["server_cpu_us_per_publish"] for load in loads])
                print(f"round {number} {what}: {costs[-1]}", file=sys.stderr)
            of_one, of_two = (statistics.median(cost) for cost in zip(*costs, strict=True))
            ratio = statistics.median(second / first for first, second in costs)
            print(f"| {what} | {of_one:.0f} us | {of_two:.0f} us | {ratio:.2f} x |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--share", type=float, default=0.4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    if args.cpu:
        with tempfile.TemporaryDirectory() as name:
            compare_cpu(Path(name), args.rounds, args.seconds)
        return
    rates: dict[tuple[str, int], list[float]] = {(name, count): [] for name in LOADS for count in (1, 2)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(args.rounds):
            for what, (arguments, unit) in LOADS.items():
                for count in (1, 2):
                    with workers(folder, count, args.share) as port:
                        found = run_load(arguments, port, seconds=args.seconds)
                    rates[what, count].append(found[unit])
                    print(f"round {number + 1} {what} workers {count}: {found}", file=sys.stderr)
    print("| what, a second | one worker | two workers | |\n|---|---|---|---|")
    for what in LOADS:
        one, two = (statistics.median(rates[what, count]) for count in (1, 2))
        ratio = statistics.median(b / a for a, b in zip(rates[what, 1], rates[what, 2], strict=True))
        print(f"| {what} | {one:,.0f} | {two:,.0f} | {ratio:.2f} x |")


if __name__ == "__main__":
    main()
