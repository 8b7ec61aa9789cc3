"""The bounds that docs/performance.md lists are those of the code, number by number."""

from __future__ import annotations

from typing import Final

from sockudo.api import throttle
from sockudo.apps import cached, shelf
from sockudo.bus.broker import connection, pieces
from sockudo.bus.workers.adapter import IpcOptions
from sockudo.cache import redis as shared_cache
from sockudo.cluster import nodes
from sockudo.cluster.messages.state import LONGEST_STATE
from sockudo.cluster.replication import incoming_snapshot, remote_work
from sockudo.queues.memory import MemoryQueueOptions
from sockudo.ratelimit import memory as windows
from sockudo.redis_client.options import RedisTiming
from sockudo.server import compression, quick_upgrade
from sockudo.server.accepting import door
from sockudo.server.http import known_heads
from sockudo.webhooks import webhooks
from sockudo.webhooks.reporting import app_lookup, pending, recent
from sockudo.websocket import deflate, quick_handshake
from tests.support.pages import section
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs" / "performance.md"
QUEUE: Final = MemoryQueueOptions()
ADDRESSES: Final = windows._TABLES * windows.SHAPE.windows


def spaced(number: int) -> str:
    """Return a number as the page writes it."""
    return f"{number:,}".replace(",", " ")


# Its place in the code -> the bound of a row, as the page writes numbers.
BOUNDS: Final = {
    "sockets before HTTP": f"{door.MOST_PENDING}, for 10 seconds",
    "remembered handshakes": f"{quick_handshake._MOST_LINES} of each",
    "remembered heads of publishes": f"{known_heads.MAX_HEADS}, of {known_heads.MAX_HEAD_BYTES} bytes at most",
    "addresses whose publishes": f"{windows._MAX_METERS}",
    "remembered offers of compression": f"{compression._MOST_OFFERS}, of {compression._LONGEST_OFFER} bytes at most",
    "compressed messages that may repeat": (
        f"{deflate._MOST_REMEMBERED} and {deflate._MOST_REMEMBERED_BYTES >> 20} MB for either window"
    ),
    "clients that wait for their TLS handshake": f"{door._MOST_READY} and what came in one turn",
    "cached events in memory": "`cache.memory.max_capacity` entries, `cache.memory.max_memory_mb`",
    "cached events for an unreachable Redis": f"{spaced(shared_cache.MAX_WRITES)}, {shared_cache.MAX_BYTES >> 20} MB",
    "windows of rate limits in memory": f"{spaced(ADDRESSES)} addresses and 42 MB for each limit",
    "remembered apps of a database": f"{spaced(shelf.MAX_APPS)}",
    "ids and keys that no app has": f"{spaced(shelf.MAX_ABSENT)}, for {shelf.ABSENT_TTL:g} seconds",
    "look-ups of unknown ids": f"{cached.MAX_WAITING} each wait, {cached.AT_ONCE} each ask at once",
    "webhooks in memory": (
        f"{spaced(QUEUE.max_jobs)} jobs, {QUEUE.max_bytes >> 20} MB; "
        f"failed ones {QUEUE.max_failed}, {QUEUE.max_bytes >> 20} MB"
    ),
    "changes that nodes have not reported": f"{spaced(pending.MAX_PENDING)}",
    "changes that nodes have reported": f"{spaced(recent.MOST)}",
    "counts of subscribers": f"{spaced(webhooks._MOST_COUNTS)}",
    "other nodes": f"{nodes.MOST_NODES}",
    "messages of other nodes": f"{spaced(remote_work.MOST_WAITING)}, {remote_work.MOST_WAITING_BYTES >> 20} MB",
    "changes of a node whose snapshot": f"{spaced(nodes.MAX_BUFFERED)}, {nodes.MAX_BUFFERED_BYTES >> 20} MB",
    "a snapshot of a node": f"{incoming_snapshot.MOST_PARTS} parts of {LONGEST_STATE >> 10} KB",
    "pieces of long messages": f"{pieces._MOST_OPEN} messages, {pieces.MOST_OPEN_BYTES >> 20} MB",
    "messages for a bus or a worker": f"{connection.MOST_UNSENT >> 20} MB",
}


def test_every_bound_shown_is_that_of_the_code() -> None:
    lines = [line for line in section(PAGE, "## Bounds").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in lines[1:]]
    assert len(rows) == len(BOUNDS)
    for (name, shown), (start, bound) in zip(rows, BOUNDS.items(), strict=True):
        assert name.startswith(start)
        assert shown == bound, name


def test_every_transport_bounds_unsent_messages_alike() -> None:
    assert connection.MOST_UNSENT == IpcOptions().max_unsent_bytes == RedisTiming().max_unsent_bytes
    assert app_lookup.MOST_ASKED == webhooks._MOST_COUNTS


def test_each_table_of_handshakes_has_the_bound_shown() -> None:
    assert quick_handshake._MOST_LINES == quick_handshake._MOST_NAMES == quick_upgrade._MOST_TARGETS


def test_as_many_peers_as_addresses_have_a_counter() -> None:
    assert throttle._MAX_METERS == windows._MAX_METERS
