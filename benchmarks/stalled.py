"""Measure what sockets cost that subscribe and never read.

    python benchmarks/stalled.py [--sockets 10000] [--buffer-kb 64] [--event-bytes 5000] [--burst 10]

They subscribe to one channel with one reader. Events are published until every stalled socket has been dropped. The
peak of the server's memory is set against the bound, `websocket.max_buffer_kb` for each socket and the 64 KB by which
one write may exceed it; the reader must have got every event in order. Needs one open file for each socket, on each
side.
"""

from __future__ import annotations

import argparse
import http.client
import json
import resource
import threading
import time

from support import APP_ID, KEY, Client, Publisher, rss, serving, sign

CHANNEL = "news"
EXCESS_KB = 64


class Reader(threading.Thread):
    """Reads one subscriber's events and checks their order."""

    def __init__(self, client: Client) -> None:
        super().__init__(daemon=True)
        self._client = client
        self.got = 0

    def run(self) -> None:
        data = b""
        while chunk := self._client.socket.recv(1 << 20):
            data += chunk
            while (mark := b"event %d " % self.got) in data:
                data = data.partition(mark)[2]
                self.got += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=10_000)
    parser.add_argument("--buffer-kb", type=int, default=64)
    parser.add_argument("--event-bytes", type=int, default=5000)
    parser.add_argument("--burst", type=int, default=10, help="events published before the reader is waited for")
    args = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with serving(app={"max_connections": 0}, websocket={"max_buffer_kb": args.buffer_kb}) as (port, pid):
        empty = rss(pid)
        stalled = []
        for _ in range(args.sockets):
            client = Client(port, receive_buffer=4096)
            client.subscribe(CHANNEL)
            client.read_until(b"subscription_succeeded")
            stalled.append(client)
        # The last subscriber is written to last, so when it has an event all others were offered it.
        reading = Client(port)
        reading.subscribe(CHANNEL)
        reading.read_until(b"subscription_succeeded")
        reader = Reader(reading)
        reader.start()
        idle = peak = rss(pid)
        publisher, published, started, slowest = Publisher(port), 0, time.monotonic(), 0.0
        gone = 0
        while gone < args.sockets and published < 100_000:
            while reader.got < published:
                time.sleep(0.001)
            for _ in range(args.burst):
                before = time.monotonic()
                publisher.publish([CHANNEL], f"event {published} " + "x" * args.event_bytes)
                slowest = max(slowest, time.monotonic() - before)
                published += 1
                peak = max(peak, rss(pid))
            # The server's count, since a stalled socket does not look at its own end.
            gone = args.sockets + 1 - subscribers(port)
        seconds = time.monotonic() - started
        deadline = time.monotonic() + 30
        while reader.got < published and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(5)
        after = rss(pid)
        for client in stalled:
            client.socket.close()
    bound = args.sockets * (args.buffer_kb + EXCESS_KB) << 10
    print(
        json.dumps(
            {
                "sockets": args.sockets,
                "dropped": gone,
                "events": published,
                "seconds": round(seconds, 1),
                "reader_got": reader.got,
                "slowest_publish_ms": round(slowest * 1000, 1),
                "rss_mb": {
                    "without clients": empty >> 20,
                    "all subscribed": idle >> 20,
                    "peak": peak >> 20,
                    "5 s after the last": after >> 20,
                    "bound of the buffers": bound >> 20,
                },
            }
        )
    )
    if gone < args.sockets or reader.got < published or peak - idle > bound:
        raise SystemExit("a stalled socket was kept, the reader missed something, or memory went over its bound")


def subscribers(port: int) -> int:
    """Ask the server how many are on the channel."""
    path = f"/apps/{APP_ID}/channels/{CHANNEL}"
    text = f"auth_key={KEY}&auth_timestamp={int(time.time())}&auth_version=1.0&info=subscription_count"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"{path}?{text}&auth_signature=" + sign(f"GET\n{path}\n{text}"))
    count = json.loads(connection.getresponse().read())["subscription_count"]
    connection.close()
    return int(count)


if __name__ == "__main__":
    main()
