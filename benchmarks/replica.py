"""Measure what it costs a node to know what all others have, and calculate it for large clusters.

    python benchmarks/replica.py [--scale 50] [--connections 1000000] [--churn 0.01]

A million connections, each on two of 100 000 channels, of which a tenth are presence channels; one in a hundred comes
and goes anew in a second. Memory is measured on a cluster `--scale` times smaller and multiplied; CPU is measured on
deltas and snapshots of the true size; messages and bytes are calculated from the size of true deltas.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
import timeit
import tracemalloc
from dataclasses import dataclass

import msgspec

from sockudo.cluster.messages.state import AppState, ChannelState, Delta, encode
from sockudo.cluster.replication.replica import Replica

APP = "1"
CHANNELS_EACH = 2
CHANNELS = 100_000
PRESENCE_SHARE = 0.1
INTERVAL = 0.005
HEADER = 9


@dataclass(frozen=True)
class Load:
    """A cluster, as a whole."""

    nodes: int
    connections: int
    channels: int
    churn: float

    @property
    def changes_per_node(self) -> float:
        """Connections that come or go on one node in a second."""
        return self.connections * self.churn * 2 / self.nodes


def name(channel: int, channels: int) -> str:
    """Return the name of a channel; the first tenth are presence channels."""
    return f"presence-room-{channel:06}" if channel < channels * PRESENCE_SHARE else f"updates-room-{channel:06}"


def member(connection: int) -> tuple[str, bytes]:
    """Return the user of a connection."""
    return f"user-{connection:07}", b'{"name":"User %07d"}' % connection


def node_state(load: Load, node: int) -> AppState:
    """Return what one node has."""
    chance = random.Random(node)
    state = AppState(load.connections // load.nodes, {}, [], [])
    for connection in range(node, load.connections, load.nodes):
        for channel in chance.sample(range(load.channels), CHANNELS_EACH):
            one = state.channels.setdefault(name(channel, load.channels), ChannelState(0, {}, []))
            one.count += 1
            if channel < load.channels * PRESENCE_SHARE:
                user_id, info = member(connection)
                one.joined[user_id] = info
    return state


def node_delta(load: Load, chance: random.Random) -> Delta:
    """Return what changes on one node between two deltas: one connection that comes for each that goes."""
    moves = max(1, round(load.changes_per_node * INTERVAL))
    state = AppState(load.connections // load.nodes, {}, [], [])
    for move in range(moves):
        for channel in chance.sample(range(load.channels), CHANNELS_EACH):
            one = state.channels.setdefault(name(channel, load.channels), ChannelState(5, {}, []))
            if channel < load.channels * PRESENCE_SHARE:
                user_id, info = member(chance.randrange(load.connections))
                if move % 2:
                    one.joined[user_id] = info
                else:
                    one.left.append(user_id)
    return Delta(chance.randrange(1_000_000), {APP: state})


def replica_of(load: Load) -> Replica:
    """Return what one node knows of all others; states come decoded from the wire, as they do in life."""
    replica = Replica()
    for node in range(1, load.nodes):
        data = encode(Delta(1, {APP: node_state(load, node)}))
        for _ in replica.replacing(f"{node:016x}", msgspec.msgpack.decode(data, type=Delta).apps):
            pass
    return replica


def memory(load: Load, scale: int) -> None:
    """Print the memory of the replica of one node."""
    small = Load(load.nodes, load.connections // scale, load.channels // scale, load.churn)
    gc.collect()
    tracemalloc.start()
    replica = replica_of(small)
    gc.collect()
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    count = replica.connection_count(APP)
    print(f"  replica, measured at 1/{scale} ({count} connections elsewhere): {used / 1e6:.1f} MB", end="; ")
    print(f"at full size: {used * scale / 1e6:.0f} MB, {used / count:.0f} bytes a connection elsewhere")
    steps, spent = replica.purging(f"{1:016x}"), []
    started = time.perf_counter()
    for _ in steps:
        spent.append(time.perf_counter() - started)
        started = time.perf_counter()
    whole, longest = sum(spent) * scale * 1e3, max(spent) * 1e3
    print(f"  forgetting one node takes about {whole:.0f} ms at full size, in steps of at most {longest:.0f} ms")
    data = encode(Delta(1, {APP: node_state(small, 1)}))
    started = time.perf_counter()
    for _ in replica.replacing(f"{1:016x}", msgspec.msgpack.decode(data, type=Delta).apps):
        pass
    took = (time.perf_counter() - started) * scale
    print(
        f"  a snapshot of one node: {len(data) * scale / 1e6:.1f} MB, decoded and merged in about {took * 1e3:.0f} ms"
    )


def traffic(load: Load, scale: int) -> float:
    """Print messages, bytes and CPU of one node; return the CPU share."""
    chance = random.Random(1)
    deltas = [encode(node_delta(load, chance)) for _ in range(200)]
    size = sum(map(len, deltas)) / len(deltas) + HEADER
    rate = min(1 / INTERVAL, load.changes_per_node)
    moves = max(1, round(load.changes_per_node * INTERVAL))
    received = rate * (load.nodes - 1)
    print(f"  {load.changes_per_node:.0f} connections come or go on a node in a second, {moves} in a delta")
    print(f"  a node sends {rate:.0f} deltas/s, {rate * size / 1e6:.2f} MB/s ({size:.0f} bytes each)", end="; ")
    print(f"receives {received:.0f} deltas/s, {received * size / 1e6:.2f} MB/s")
    replica = replica_of(Load(load.nodes, load.connections // scale, load.channels // scale, load.churn))

    def apply() -> None:
        for number, data in enumerate(deltas):
            delta = msgspec.msgpack.decode(data, type=Delta)
            replica.apply(f"{number % (load.nodes - 1) + 1:016x}", delta.apps)

    each = min(timeit.repeat(apply, number=1, repeat=7)) / len(deltas)
    delta = node_delta(load, chance)
    encoding = min(timeit.repeat(lambda: encode(delta), number=200, repeat=5)) / 200
    share = received * each + rate * encoding
    print(f"  a delta costs {each * 1e6:.1f} us to decode and apply, {encoding * 1e6:.1f} us to encode", end="; ")
    print(f"together {share * 100:.0f} % of a core, without the driver's own work for each message")
    return share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, default=50)
    parser.add_argument("--connections", type=int, default=1_000_000)
    parser.add_argument("--churn", type=float, default=0.01)
    args = parser.parse_args()
    shares: dict[int, float] = {}
    for nodes in (10, 100):
        load = Load(nodes, args.connections, CHANNELS, args.churn)
        print(f"{nodes} nodes, {args.connections} connections, {CHANNELS} channels, {args.churn:.0%} churn a second")
        memory(load, args.scale)
        shares[nodes] = traffic(load, args.scale)
    print(
        "\nWhere it must be divided next: every node holds and applies all that happens on all others, so memory and\n"
        "CPU follow the whole cluster's connections and churn, whatever a node serves itself. More nodes make the\n"
        f"deltas smaller and more, which is dearer: {shares[10]:.0%} of a core with 10 nodes, {shares[100]:.0%} with\n"
        "100, and on top of it what the driver does for each message. First let the delta interval grow with the\n"
        "number of nodes, so that a message gathers more. Then divide members and counts by channel: the deltas of a\n"
        "channel go to the nodes that are on its topic and to its owner, who answers questions about it; connection\n"
        "counts of apps stay everywhere, as they are one number a node."
    )


if __name__ == "__main__":
    main()
