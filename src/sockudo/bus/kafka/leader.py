"""What a node has to do with one broker: a connection that publishes to the partitions it leads, and one that fetches.

They are two because a broker answers one request of a connection after another, and a fetch waits for messages.

* What is published in a tick goes in one request, a batch for each partition. Nothing is sent twice: where an answer
  fails to come, or says that the broker leads no more, the link is given up, and the message with it.
* A topic is joined by asking where its partition ends: what comes from there on is heard, and nothing from before.
  It is caught up with when everything up to there has been fetched.
* While idle, the node asks for the topic's metadata, so it notices when partitions change.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sockudo.bus.broker.attachment import RefusedError
from sockudo.bus.broker.connection import settle
from sockudo.bus.kafka.connection import KafkaConnection, connect
from sockudo.bus.kafka.options import Address, KafkaOptions
from sockudo.bus.kafka.receipts import Receipts
from sockudo.bus.kafka.records import OVERHEAD, Heard, Record, build_batch, read_batches
from sockudo.bus.kafka.topic import ASKED_AGAIN_AFTER
from sockudo.bus.kafka.wire import (
    FETCH,
    LIST_OFFSETS,
    METADATA,
    MOMENTARY,
    NO_ERROR,
    PRODUCE,
    TOO_LARGE,
    Layout,
    Partition,
    ask_ends,
    ask_fetch,
    ask_metadata,
    ask_produce,
    error_name,
    read_ends,
    read_fetch,
    read_metadata,
    read_produce,
)
from sockudo.log import get_logger

_log = get_logger("sockudo.bus")

# Bytes of one answer to a fetch, which is read in one turn of the event loop; a batch that is longer comes alone.
_MOST_FETCHED: Final = 256 * 1024
_UNREADABLE_LOGGED_EVERY: Final = 1000
# Fetches that are answered in the time of silence after which a broker counts as lost.
_FETCHES_PER_TIMEOUT: Final = 4

Joined = Callable[[bytes, int], None]


@dataclass(frozen=True, slots=True)
class LeaderEvents:
    """What a leader tells.

    Attributes:
        heard: takes key, offset and value of a message.
        joined: takes a key and the offset from which on it is heard.
        layout: takes where the topic is, now and then.
        refused: takes why a batch of messages was refused.
        lost: takes the reason why this leader is of no use any more.
    """

    heard: Heard
    joined: Joined
    layout: Callable[[Layout], None]
    refused: Callable[[str], None]
    lost: Callable[[str], None]


class Leader:
    """One broker, as the leader of some partitions; `open` makes it ready.

    Attributes:
        unreadable: batches that were passed over.
    """

    def __init__(self, partitions: list[int], options: KafkaOptions, events: LeaderEvents) -> None:
        self._partitions = partitions
        self._options = options
        self._topic = options.prefix
        self._longest_batch = options.max_batch_kb * 1024
        self._longest_wait = options.request_timeout_ms / 1000 / _FETCHES_PER_TIMEOUT
        self._events = events
        self.unreadable = 0
        self._publisher: KafkaConnection | None = None
        self._fetcher: KafkaConnection | None = None
        self._receipts = Receipts()
        self._loop = asyncio.get_running_loop()
        # What goes at the end of this tick: batches of each partition, the last of them with its length so far.
        self._batches: dict[int, list[list[Record]]] = {}
        self._lengths: dict[int, int] = {}
        self._joins: dict[int, list[tuple[bytes, asyncio.Future[None]]]] = {}
        # Who waits for all that a partition has: asked where it ends, and then for what is fetched up to there.
        self._behind: dict[int, list[asyncio.Future[None]]] = {}
        self._fetching: dict[int, deque[tuple[int, asyncio.Future[None]]]] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self._is_woken = False
        self._is_closing = False
        # What is fetched next of each partition.
        self._offsets: dict[int, int] = {}

    async def open(self, address: Address, context: ssl.SSLContext | None) -> None:
        """Connect, and note where the partitions end: what is published from now on is heard.

        Raises:
            OSError: the broker cannot be reached.
            RefusedError: it does not want us.
        """
        self._publisher = publisher = await connect(address, self._options, context, self._gone)
        self._fetcher = fetcher = await connect(address, self._options, context, self._gone)
        # A message that nobody is to hear, to know whether we may publish.
        probe = ask_produce(self._topic, [(self._partitions[0], build_batch([(b"", b"")], _now()))], 1)
        await _agreed(publisher, PRODUCE, probe, read_produce)
        question = ask_ends(self._topic, self._partitions)
        ends = await _agreed(publisher, LIST_OFFSETS, question, read_ends)
        self._offsets = {part.number: part.offset for part in ends}
        # Answered at once, so that it is known whether we may hear.
        question = ask_fetch(self._topic, self._offsets, 0, _MOST_FETCHED)
        self._deliver(await _agreed(fetcher, FETCH, question, read_fetch))
        publisher.watch_with(self._ask_layout)
        # A fetch is answered often enough.
        fetcher.watch_with(lambda: None)

    def publish(self, partition: int, record: Record) -> None:
        """Send a message at the end of this tick."""
        # hot path
        length = len(record[0]) + len(record[1]) + OVERHEAD
        batches = self._batches.get(partition)
        if batches is None:
            self._batches[partition] = [[record]]
            self._lengths[partition] = length
        elif self._lengths[partition] + length <= self._longest_batch:
            batches[-1].append(record)
            self._lengths[partition] += length
        else:
            batches.append([record])
            self._lengths[partition] = length
        if not self._is_woken:
            self._wake()

    def join(self, partition: int, key: bytes) -> asyncio.Future[None]:
        """Ask from which offset on a key is heard; the future is done when that is told, or the broker is lost."""
        joined = self._wait()
        self._joins.setdefault(partition, []).append((key, joined))
        return joined

    def caught_up(self, partition: int) -> asyncio.Future[None]:
        """Return a future that is done when all that a partition has is heard, or the broker is lost."""
        heard = self._wait()
        self._behind.setdefault(partition, []).append(heard)
        return heard

    def taken(self) -> asyncio.Future[None] | None:
        """Return a future that is done when the broker has what was sent, or is lost; None where it has."""
        return self._receipts.taken()

    def drop(self, reason: str) -> None:
        """Give up both connections."""
        for connection in (self._publisher, self._fetcher):
            if connection is not None:
                connection.drop(reason)
        for future in list(self._waiting):
            settle(future)
        self._receipts.release()

    async def aclose(self) -> None:
        """Close when the broker has taken everything that was sent; nobody is told."""
        self._is_closing = True
        if self._publisher is not None:
            self._flush()
            await self._publisher.aclose()
        self.drop("closed")

    def _wait(self) -> asyncio.Future[None]:
        """Return a future for an answer that is asked for at the end of this tick."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        if not self._is_woken:
            self._wake()
        return future

    def _wake(self) -> None:
        self._is_woken = True
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        # hot path
        self._is_woken = False
        publisher = self._publisher
        if publisher is None or not publisher.is_open:
            return
        # One batch of each partition goes in one request, so what is more than a batch goes in several.
        waiting, self._batches = self._batches, {}
        while waiting:
            milliseconds = _now()
            batches = [(index, build_batch(parts.pop(0), milliseconds)) for index, parts in waiting.items()]
            waiting = {index: parts for index, parts in waiting.items() if parts}
            publisher.ask(PRODUCE, ask_produce(self._topic, batches, 1), self._take_produced)
            self._receipts.sent()
        if self._joins or self._behind:
            joins, self._joins = self._joins, {}
            behind, self._behind = self._behind, {}
            question = ask_ends(self._topic, joins.keys() | behind.keys())
            publisher.ask(LIST_OFFSETS, question, lambda data: self._take_ends(data, joins, behind))
        # Without waiting for the tick that `send` asked for.
        publisher.flush()

    def _ask_layout(self) -> None:
        assert self._publisher is not None, "opened"
        self._publisher.ask(METADATA, ask_metadata(self._topic), lambda data: self._events.layout(read_metadata(data)))

    # What the broker answers

    def _take_produced(self, data: bytes) -> None:
        # hot path
        self._receipts.answered()
        for part in read_produce(data):
            if part.error in TOO_LARGE:
                self._events.refused(error_name(part.error))
            elif part.error != NO_ERROR:
                self._events.lost(f"publishing: {error_name(part.error)}")

    def _take_ends(
        self,
        data: bytes,
        joins: dict[int, list[tuple[bytes, asyncio.Future[None]]]],
        behind: dict[int, list[asyncio.Future[None]]],
    ) -> None:
        for part in read_ends(data):
            if part.error != NO_ERROR:
                self._events.lost(f"joining: {error_name(part.error)}")
                return
            for key, joined in joins.get(part.number, ()):
                self._events.joined(key, part.offset)
                settle(joined)
            for heard in behind.get(part.number, ()):
                self._fetching.setdefault(part.number, deque()).append((part.offset, heard))
            self._settle_fetched(part.number)

    def _take_fetched(self, data: bytes) -> None:
        self._deliver(read_fetch(data))

    def _deliver(self, parts: list[Partition]) -> None:
        # hot path
        for part in parts:
            if part.error != NO_ERROR:
                self._events.lost(f"fetching: {error_name(part.error)}")
                return
            if part.records:
                offset = self._offsets[part.number]
                self._offsets[part.number] = read_batches(
                    part.records, offset, self._events.heard, self._unreadable, self._longest_batch
                )
                if self._fetching:
                    self._settle_fetched(part.number)
        fetcher = self._fetcher
        if fetcher is not None and fetcher.is_open:
            question = ask_fetch(self._topic, self._offsets, self._longest_wait, _MOST_FETCHED)
            fetcher.ask(FETCH, question, self._take_fetched)

    def _unreadable(self, reason: str) -> None:
        self.unreadable += 1
        if self.unreadable % _UNREADABLE_LOGGED_EVERY == 1:
            _log.warning("kafka bus batch dropped: it cannot be read", reason=reason, times=self.unreadable)

    def _settle_fetched(self, partition: int) -> None:
        """Let those go who wait for no more than what has been fetched of a partition."""
        waiting = self._fetching.get(partition)
        while waiting and waiting[0][0] <= self._offsets[partition]:
            settle(waiting.popleft()[1])
        if not waiting:
            self._fetching.pop(partition, None)

    def _gone(self, connection: KafkaConnection, reason: str) -> None:
        if not self._is_closing:
            self._events.lost(reason)


async def _agreed(
    connection: KafkaConnection, api: tuple[int, int], question: bytes, read: Callable[[bytes], list[Partition]]
) -> list[Partition]:
    """Return the answer to a question once the broker knows that it leads; that may take a moment after an election."""
    while True:
        answer = await connection.call(api, question, read)
        problems = [(part.number, part.error) for part in answer if part.error != NO_ERROR]
        if not problems:
            return answer
        index, code = problems[0]
        if code not in MOMENTARY:
            raise RefusedError(f"partition {index}: {error_name(code)}", "adapter.kafka.prefix")
        await asyncio.sleep(ASKED_AGAIN_AFTER)


def _now() -> int:
    return time.time_ns() // 1_000_000
