"""The wire protocol of Kafka without I/O: the few requests that a bus needs, and their answers.

Every request is asked in one version, the oldest that brokers of 4.x still answer; those of 2.4 and later do too.
Numbers are big-endian; a string has its length before it in two bytes, an array or bytes in four; -1 is null.
See https://kafka.apache.org/protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct, error
from typing import Final, NamedTuple

from aiokafka.errors import for_code

from sockudo.bus.broker.connection import BadBytesError
from sockudo.bus.kafka.options import Address

# (API key, version)
PRODUCE: Final = (0, 3)
FETCH: Final = (1, 4)
LIST_OFFSETS: Final = (2, 1)
METADATA: Final = (3, 4)
SASL_HANDSHAKE: Final = (17, 1)
CREATE_TOPICS: Final = (19, 4)
SASL_AUTHENTICATE: Final = (36, 0)

NO_ERROR: Final = 0
UNKNOWN_TOPIC: Final = 3
# Unknown topic, no leader yet, led by another broker: what is said in the moment that a topic is made or moves.
MOMENTARY: Final = frozenset((UNKNOWN_TOPIC, 5, 6))
TOO_LARGE: Final = frozenset((10, 18))
UNSUPPORTED_MECHANISM: Final = 33
TOPIC_EXISTS: Final = 36

NO_LEADER: Final = -1

_I8, _I16, _I32, _I64 = Struct(">b"), Struct(">h"), Struct(">i"), Struct(">q")
_HEADER: Final = Struct(">ihhi")
_CLIENT: Final = b"\x00\x07sockudo"
_PARTITION_OFFSET: Final = Struct(">iqi")
_PARTITION_TIME: Final = Struct(">iq")
# Of each partition of an answer.
_PRODUCED: Final = Struct(">ihqq")
_ENDS: Final = Struct(">ihqq")
_FETCHED: Final = Struct(">ihqqi")
# What the log of a partition ends at.
_LATEST: Final = -1
_LEADER_ONLY: Final = 1
# Who asks where a log ends. An ordinary consumer (-1) is told where the part ends that all replicas have: before
# messages that the leader has taken a moment ago. A debugging consumer is told where the log of the leader ends.
_DEBUGGING_CONSUMER: Final = -2
# Answers that are longer are none of ours: a fetch is limited far below.
LONGEST_ANSWER: Final = 128 * 1024 * 1024


class Partition(NamedTuple):
    """One partition of an answer: its number, an error code, an offset, and record batches where they were asked."""

    number: int
    error: int
    offset: int
    records: bytes = b""


@dataclass(frozen=True, slots=True)
class Layout:
    """A topic in its cluster.

    Attributes:
        error: of the topic as a whole.
        leaders: the node that leads each partition, or `NO_LEADER`.
        brokers: where each node is.
        controller: the node that makes topics.
    """

    error: int
    leaders: tuple[int, ...]
    brokers: Mapping[int, Address]
    controller: int


class AnswerReader:
    """Reads the body of an answer from its beginning to its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, kind: Struct) -> int:
        """Read a number."""
        value: int = self.numbers(kind)[0]
        return value

    def numbers(self, kind: Struct) -> tuple[int, ...]:
        """Read several numbers."""
        try:
            values = kind.unpack_from(self._data, self._at)
        except error:
            raise BadBytesError("an answer that is cut short") from None
        self._at += kind.size
        return values

    def bytes_of(self, length: int) -> bytes:
        """Read so many bytes; a negative number of them is null, here nothing."""
        end = self._at + max(length, 0)
        if end > len(self._data):
            raise BadBytesError("an answer that is cut short")
        value = self._data[self._at : end]
        self._at = end
        return value

    def string(self) -> str:
        """Read a string; null is empty."""
        return self.bytes_of(self.number(_I16)).decode("utf-8", "replace")

    def blob(self) -> bytes:
        """Read bytes; null is empty."""
        return self.bytes_of(self.number(_I32))

    def count(self) -> range:
        """Read the length of an array, to go through."""
        return range(self.number(_I32))


def request(api: tuple[int, int], correlation: int, *body: bytes) -> bytes:
    """Return a whole request; `correlation` comes back with its answer."""
    size = 8 + len(_CLIENT) + sum(map(len, body))
    return b"".join((_HEADER.pack(size, *api, correlation), _CLIENT, *body))


def error_name(code: int) -> str:
    """Return what an error is called."""
    return str(getattr(for_code(code), "message", None) or code)


def ask_metadata(topic: str) -> bytes:
    """Ask where a topic is; it is not made by that."""
    return _I32.pack(1) + _string(topic) + b"\x00"


def read_metadata(data: bytes) -> Layout:
    """Read where a topic is."""
    answer = AnswerReader(data)
    answer.number(_I32)
    brokers = {}
    for _ in answer.count():
        node = answer.number(_I32)
        brokers[node] = (answer.string(), answer.number(_I32))
        answer.string()
    answer.string()
    controller, problem = answer.number(_I32), UNKNOWN_TOPIC
    leaders: dict[int, int] = {}
    for _ in answer.count():
        problem = answer.number(_I16)
        answer.string()
        answer.number(_I8)
        for _ in answer.count():
            answer.number(_I16)
            index, leader = answer.number(_I32), answer.number(_I32)
            leaders[index] = leader if leader in brokers else NO_LEADER
            for _ in range(2):
                answer.bytes_of(4 * answer.number(_I32))
    return Layout(problem, tuple(leaders.get(index, NO_LEADER) for index in range(len(leaders))), brokers, controller)


def ask_create(topic: str, partitions: int, replicas: int, settings: Mapping[str, str], timeout: float) -> bytes:
    """Ask for a topic; -1 replicas are what the brokers have as their default."""
    numbers = _I32.pack(partitions) + _I16.pack(replicas) + _I32.pack(0)
    pairs = b"".join(_string(name) + _string(value) for name, value in settings.items())
    rest = _I32.pack(len(settings)) + pairs + _I32.pack(int(timeout * 1000)) + b"\x00"
    return _I32.pack(1) + _string(topic) + numbers + rest


def read_create(data: bytes) -> tuple[int, str]:
    """Read whether a topic was made: an error code, and what the broker says about it."""
    answer = AnswerReader(data)
    answer.number(_I32)
    found = (UNKNOWN_TOPIC, "")
    for _ in answer.count():
        answer.string()
        found = answer.number(_I16), answer.string()
    return found


def ask_ends(topic: str, partitions: Iterable[int]) -> bytes:
    """Ask what the logs of partitions end at now, replicated or not."""
    parts = [_PARTITION_TIME.pack(index, _LATEST) for index in partitions]
    return b"".join((_I32.pack(_DEBUGGING_CONSUMER), _I32.pack(1), _string(topic), _I32.pack(len(parts)), *parts))


def read_ends(data: bytes) -> list[Partition]:
    """Read the offsets that the next messages will have."""
    answer, found = AnswerReader(data), []
    for _ in answer.count():
        answer.string()
        for _ in answer.count():
            index, problem, _, offset = answer.numbers(_ENDS)
            found.append(Partition(index, problem, offset))
    return found


def ask_produce(topic: str, batches: Sequence[tuple[int, bytes]], timeout: float) -> bytes:
    """Ask for batches of messages to be appended, one for a partition; the answer comes when the leader has them."""
    # hot path
    parts = [b"".join((_I32.pack(index), _I32.pack(len(batch)), batch)) for index, batch in batches]
    start = _I16.pack(-1) + _I16.pack(_LEADER_ONLY) + _I32.pack(int(timeout * 1000))
    return b"".join((start, _I32.pack(1), _string(topic), _I32.pack(len(parts)), *parts))


def read_produce(data: bytes) -> list[Partition]:
    """Read what became of batches."""
    # hot path
    answer, found = AnswerReader(data), []
    for _ in answer.count():
        answer.string()
        for _ in answer.count():
            index, problem, offset, _ = answer.numbers(_PRODUCED)
            found.append(Partition(index, problem, offset))
    return found


def ask_fetch(topic: str, offsets: Mapping[int, int], wait: float, most: int) -> bytes:
    """Ask for what comes from given offsets on: at once where there is something, else when `wait` is over."""
    # hot path
    parts = [_PARTITION_OFFSET.pack(index, offset, most) for index, offset in offsets.items()]
    start = b"".join((_I32.pack(-1), _I32.pack(int(wait * 1000)), _I32.pack(1), _I32.pack(most), b"\x00"))
    return b"".join((start, _I32.pack(1), _string(topic), _I32.pack(len(parts)), *parts))


def read_fetch(data: bytes) -> list[Partition]:
    """Read what there is; the offset is that of what follows all of the log."""
    # hot path; every partition is in every answer, mostly with nothing in it.
    answer, found = AnswerReader(data), []
    answer.number(_I32)
    for _ in answer.count():
        answer.string()
        for _ in answer.count():
            index, problem, end, _, aborted = answer.numbers(_FETCHED)
            answer.bytes_of(16 * aborted)
            found.append(Partition(index, problem, end, answer.blob()))
    return found


def ask_mechanism(name: str) -> bytes:
    """Ask to log in in a certain way."""
    return _string(name)


def read_mechanism(data: bytes) -> tuple[int, list[str]]:
    """Read an error code, and the ways that there are."""
    answer = AnswerReader(data)
    return answer.number(_I16), [answer.string() for _ in answer.count()]


def ask_login(message: bytes) -> bytes:
    """Say something of a login."""
    return _I32.pack(len(message)) + message


def read_login(data: bytes) -> tuple[int, str, bytes]:
    """Read an error code, what the broker says about it, and its part of the login."""
    answer = AnswerReader(data)
    return answer.number(_I16), answer.string(), answer.blob()


def _string(text: str) -> bytes:
    raw = text.encode()
    return _I16.pack(len(raw)) + raw
