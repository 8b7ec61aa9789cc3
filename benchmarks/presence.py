"""Measure what joining a presence channel costs as the channel grows.

    python benchmarks/presence.py [--members 1000] [--rounds 3]

Users join one channel one after the other, each on a connection of its own, and everybody is told of everybody. The
server's CPU for the joins between two sizes is set against the bytes that it had to send for them: the roster to each
newcomer, and `member_added` to all who were there. It is linear when the CPU a byte does not grow; a join that costs
more than its frames would show as a rising last column.
"""

from __future__ import annotations

import argparse
import json
import selectors
import threading

from support import Client, cpu, serving

CHANNEL = "presence-room"


class Crowd:
    """Members who read all that they are sent, in a thread, and count it."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self.received = 0
        self.frames = 0
        threading.Thread(target=self._read, daemon=True).start()

    def add(self, client: Client) -> None:
        client.socket.setblocking(False)
        with self._lock:
            self._selector.register(client.socket, selectors.EVENT_READ)

    def _read(self) -> None:
        while True:
            for key, _ in self._selector.select(0.05):
                data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]  # only sockets are registered
                self.received += len(data)
                self.frames += data.count(b"member_added")


def one_round(members: int, steps: list[int]) -> list[dict[str, float]]:
    """Let members join; return the figures of each step."""
    with serving(app={"max_presence_members_per_channel": members}) as (port, pid):
        clients = [Client(port) for _ in range(members)]
        crowd = Crowd()
        rows: list[dict[str, float]] = []
        joined = roster_bytes = 0
        for step in steps:
            started, told, rosters, first = cpu(pid), crowd.received, roster_bytes, joined
            for client in clients[joined:step]:
                client.subscribe(CHANNEL, f"user-{joined:04}")
                roster = b""
                while b'"{\\"presence' not in roster or not roster.endswith(b'}}}"}'):
                    roster += client.socket.recv(1 << 20)
                roster_bytes += len(roster)
                crowd.add(client)
                joined += 1
            expected = joined * (joined - 1) // 2
            while crowd.frames < expected:
                pass
            used = cpu(pid) - started
            sent = crowd.received - told + roster_bytes - rosters
            rows.append(
                {
                    "n": step,
                    "cpu_us_per_join": used * 1e6 / (step - first),
                    "members_told_per_join": (first + step - 1) / 2,
                    "kb_per_join": sent / (step - first) / 1000,
                    "cpu_us_per_member_told": used * 1e6 / ((step * (step - 1) - first * (first - 1)) / 2),
                    "cpu_ns_per_byte": used * 1e9 / sent,
                }
            )
        return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    steps = [args.members // 4, args.members // 2, args.members]
    for number in range(args.rounds):
        for row in one_round(args.members, steps):
            print(json.dumps({"round": number + 1} | {name: round(value, 2) for name, value in row.items()}))


if __name__ == "__main__":
    main()
