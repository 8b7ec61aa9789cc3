"""Measure whether sessions leave memory behind.

    python benchmarks/leaks.py [--cycles 100000] [--workers 2] [--shared]

Each session connects, subscribes to a public and a presence channel, gets an event and leaves, every other one without
a close frame. The server's memory after all of them is compared with that after the first 1000; more than 2 MB above
is a failure. Channels have names of their own, unless `--shared`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time

from support import CLOSE_FRAME, Client, Publisher, rss, serving

WARM_UP = 1000
LIMIT = 2 << 20


def sessions(port: int, first: int, last: int, shared: bool) -> None:
    """Run sessions one after the other."""
    publisher = Publisher(port)
    for number in range(first, last):
        name = f"news-{number % 10 if shared else number}"
        client = Client(port)
        client.subscribe(name)
        client.subscribe(f"presence-room-{number % 100 if shared else number}", f"user-{number}")
        client.read_until(b'\\"presence\\"')
        publisher.publish([name], f"event of {number}")
        client.read_until(b"event of %d" % number)
        if number % 2:
            client.socket.sendall(CLOSE_FRAME)
            while client.socket.recv(1 << 16):
                pass
        client.socket.close()


def run(port: int, first: int, last: int, workers: int, shared: bool) -> None:
    """Run sessions in several processes."""
    step = -(-(last - first) // workers)
    ranges = [(start, min(start + step, last)) for start in range(first, last, step)]
    processes = [multiprocessing.Process(target=sessions, args=(port, *one, shared)) for one in ranges]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit(f"a worker failed with {process.exitcode}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shared", action="store_true")
    args = parser.parse_args()
    with serving() as (port, pid):
        run(port, 0, WARM_UP, args.workers, args.shared)
        # Sockets that were dropped are noticed in the next turn of the server's loop.
        time.sleep(1)
        before, started = rss(pid), time.monotonic()
        run(port, WARM_UP, args.cycles, args.workers, args.shared)
        seconds = time.monotonic() - started
        time.sleep(1)
        after = rss(pid)
    print(
        json.dumps(
            {
                "cycles": args.cycles,
                "seconds": round(seconds, 1),
                "rss_after_1000_kb": before >> 10,
                "rss_after_all_kb": after >> 10,
                "growth_kb": (after - before) >> 10,
            }
        )
    )
    if after - before > LIMIT:
        raise SystemExit(f"memory has grown by more than {LIMIT >> 20} MB")


if __name__ == "__main__":
    main()
