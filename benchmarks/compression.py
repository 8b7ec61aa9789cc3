"""Measure what compression costs the server and saves on the wire: connecting, delivering, memory.

    python benchmarks/compression.py [--sockets 1000] [--events 200] [--rounds 3] [--bytes 1024]

Two servers, one of which compresses, get every load in each round, in turn. The sockets subscribe to one channel. An
event of JSON, another each time, goes to all of them, and the next is published when all have it ("lone"), or sixteen
at a time ("many"). Only the CPU of the server is counted. The figures are medians.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
from typing import Final

from support import Client, Publisher, cpu, rss, serving

CHANNEL: Final = "news"
MANY: Final = 16
OFFER: Final = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
ROWS: Final = (
    ("connect", "us"),
    ("lone", "us"),
    ("many", "us"),
    ("wire", "bytes a delivery"),
    ("memory", "bytes a socket"),
)


def event_data(rng: random.Random, size: int) -> str:
    """Return JSON of so many bytes, such as prices are sent with."""
    items: list[dict[str, object]] = []
    while len(text := json.dumps(items)) < size:
        price = round(rng.uniform(1, 1000), 2)
        items.append({"id": rng.randrange(10**6), "symbol": f"S{rng.randrange(500)}", "price": price, "open": True})
    return text[:size]


class Subscriber:
    """One socket, and the frames that have come on it."""

    def __init__(self, port: int, headers: bytes) -> None:
        self.client = Client(port, headers=headers)
        self.client.subscribe(CHANNEL)
        self.client.read_until(b"subscription_succeeded")
        self._rest = b""

    def read(self, frames: int) -> int:
        """Read so many whole frames and return their bytes."""
        data, size = self._rest, 0
        while frames:
            end = _end_of_frame(data)
            if end > len(data):
                data += self.client.socket.recv(1 << 16)
                continue
            data, size, frames = data[end:], size + end, frames - 1
        self._rest = data
        return size


def _end_of_frame(data: bytes) -> int:
    """Return where the first frame ends; more than there is if that cannot be told yet."""
    if len(data) < 4:
        return 4
    return 2 + data[1] if data[1] < 126 else 4 + int.from_bytes(data[2:4], "big")


def measure(port: int, pid: int, headers: bytes, args: argparse.Namespace) -> dict[str, float]:
    """Return microseconds of CPU for each connection and delivery, and bytes for each delivery and socket."""
    rng, empty, before = random.Random(1), rss(pid), cpu(pid)
    subscribers = [Subscriber(port, headers) for _ in range(args.sockets)]
    found = {"connect": (cpu(pid) - before) / args.sockets * 1e6, "memory": (rss(pid) - empty) / args.sockets}
    publisher, size = Publisher(port), 0
    for name, together in (("lone", 1), ("many", MANY)):
        rounds, before = args.events // together, cpu(pid)
        for _ in range(rounds):
            for _ in range(together):
                publisher.publish([CHANNEL], event_data(rng, args.bytes))
            size += sum(subscriber.read(together) for subscriber in subscribers)
        found[name] = (cpu(pid) - before) / (rounds * together * args.sockets) * 1e6
    deliveries = (args.events + args.events // MANY * MANY) * args.sockets
    found["wire"] = size / deliveries
    for subscriber in subscribers:
        subscriber.client.socket.close()
    return found


def main() -> None:
    """Run the rounds and print their medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bytes", type=int, default=1024)
    args = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rounds: list[dict[str, dict[str, float]]] = []
    for _ in range(args.rounds):
        results = {}
        for name, headers in (("off", b""), ("on", OFFER)):
            websocket = {"compression": "shared" if headers else "disabled"}
            with serving(app={"max_connections": 0}, websocket=websocket) as (port, pid):
                results[name] = measure(port, pid, headers, args)
        rounds.append(results)
    print(f"{'':10}{'off':>10}{'on':>10}{'ratio':>8}")
    for row, unit in ROWS:
        off, on = (statistics.median(one[name][row] for one in rounds) for name in ("off", "on"))
        # A short run may cost less CPU than the clock can tell.
        ratio = statistics.median(one["on"][row] / (one["off"][row] or 1.0) for one in rounds)
        print(f"{row:10}{off:10.2f}{on:10.2f}{ratio:8.2f}  {unit}")


if __name__ == "__main__":
    main()
