"""Let a server of two workers on Redis run for a while with many idle sockets, sessions that come and go, and events.

    python benchmarks/soak.py [--seconds 600] [--idle 9000]

It fails where a socket ends, an event is lost, a session fails, the log has a traceback, or the workers have more
memory at the end than after a quarter of the time (8 MB a worker are let pass). It prints the lag of the event loops.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import resource
import selectors
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from cluster import free_ports
from leaks import sessions
from support import Client, Publisher, rss, serving

CHANNELS = 100
GROWTH = 8 << 20
EVENTS_A_SECOND = 20
SESSIONS_AT_ONCE = 20
MARK = b"event of soak"
PING, MASKED_PONG = b"\x89\x00", b"\x8a\x80\0\0\0\0"
# For other things than sockets: files, the load, the server's own.
SPARE_FILES = 500
# Reads may part a mark.
TAIL = len(MARK) - 1


@contextmanager
def redis(port: int) -> Iterator[None]:
    """Run a Redis of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with socket.socket() as trial:
                    if trial.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(20)


def hold(port: int, count: int, told: Connection) -> None:
    """Hold idle sockets, answer pings, and count events until told to end."""
    idle = selectors.DefaultSelector()
    for number in range(count):
        client = Client(port)
        client.subscribe(f"soak-{number % CHANNELS}")
        client.read_until(b"subscription_succeeded")
        client.socket.setblocking(False)
        idle.register(client.socket, selectors.EVENT_READ, [b""])
    told.send(count)
    events, ended = 0, 0
    while not told.poll():
        for key, _ in idle.select(0.2):
            data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]  # sockets are all that is registered
            if not data:
                ended += 1
                idle.unregister(key.fileobj)
                continue
            seen = key.data[0] + data
            events += seen.count(MARK)
            key.data[0] = seen[-TAIL:]
            # Between two events, and in the same read as one of them, too.
            if PING in seen:
                key.fileobj.send(MASKED_PONG)  # type: ignore[union-attr]  # as above
    told.send((events, ended))


def churn(port: int, ending: Any) -> None:
    """Let sessions come and go."""
    number = 0
    while not ending.is_set():
        sessions(port, number, number + SESSIONS_AT_ONCE, shared=True)
        number += SESSIONS_AT_ONCE
        time.sleep(0.2)


def workers_of(pid: int) -> list[int]:
    """Return the processes of the workers."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def lags(port: int) -> Counter[float]:
    """Return how many measurements were at most so late, by bound."""
    text = urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    found = re.findall(r'event_loop_lag_seconds_bucket\{[^}]*le="([^"]+)"[^}]*\} ([\d.e+]+)', text)
    counts: Counter[float] = Counter()
    for bound, count in found:
        counts[float(bound)] += int(float(count))
    return counts


def p99(before: Counter[float], after: Counter[float]) -> float:
    """Return the bound below which 99 of 100 measurements in between were."""
    total = after[float("inf")] - before[float("inf")]
    assert total, "the lag was not measured"
    return next(bound for bound in sorted(after) if after[bound] - before[bound] >= 0.99 * total)


def publish(port: int, until: float, first: int) -> int:
    """Publish at a steady rate; return the number after the last event."""
    publisher = Publisher(port)
    number = first
    while time.monotonic() < until:
        publisher.publish([f"soak-{number % CHANNELS}"], MARK.decode())
        number += 1
        time.sleep(1 / EVENTS_A_SECOND)
    return number


def run(port: int, metrics_port: int, pid: int, idle: int, seconds: float) -> None:
    """Run the load, and check what came of it."""
    here, there = multiprocessing.Pipe()
    holder = multiprocessing.Process(target=hold, args=(port, idle, there))
    holder.start()
    here.recv()
    print(f"{idle} sockets are idle", flush=True)
    ending = multiprocessing.Event()
    churning = multiprocessing.Process(target=churn, args=(port, ending))
    churning.start()
    began = time.monotonic()
    number = publish(port, began + seconds / 4, 0)
    workers = workers_of(pid)
    assert len(workers) == 2, workers
    first, before = sum(map(rss, workers)), lags(metrics_port)
    published = publish(port, began + seconds, number)
    last, after = sum(map(rss, workers)), lags(metrics_port)
    ending.set()
    churning.join(60)
    time.sleep(2)
    here.send(None)
    events, ended = here.recv()
    holder.join(60)
    expected = sum(len(range(number % CHANNELS, idle, CHANNELS)) for number in range(published))
    mb = 1 << 20
    print(f"memory of the workers: {first / mb:.1f} MB after a quarter, {last / mb:.1f} MB at the end")
    print(f"events: {published} published, {events} of {expected} arrived; {ended} sockets ended")
    print(f"lag of the event loops: p99 at most {1000 * p99(before, after):g} ms")
    assert workers_of(pid) == workers, "a worker was replaced"
    assert (events, ended) == (expected, 0)
    assert churning.exitcode == 0, "a session failed"
    assert last - first < GROWTH * len(workers), "memory grows"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--idle", type=int, default=9000)
    args = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    idle = min(args.idle, hard - SPARE_FILES)
    redis_port, metrics_port = free_ports(1), free_ports(1)
    adapter = {"driver": "redis", "redis": {"redis_pub_options": {"url": f"redis://127.0.0.1:{redis_port}"}}}
    metrics = {"enabled": True, "host": "127.0.0.1", "port": metrics_port}
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    with redis(redis_port), serving(workers=2, adapter=adapter, metrics=metrics) as (port, pid):
        run(port, metrics_port, pid, idle, args.seconds)
    print("nothing was lost, nothing grew")


if __name__ == "__main__":
    main()
