"""Writes log lines in a thread, so that logging never blocks its caller and never raises.

Lines wait in a bounded queue. A disk that is full, a reader that is gone or one that does not read costs lines and
nothing else: they are counted, and the log tells their number when it can be written again.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from itertools import accumulate
from queue import Empty, SimpleQueue
from typing import Final, TextIO, TypeAlias

MOST_WAITING: Final = 4 * 1024 * 1024
"""Bytes of lines that wait at most; what comes beyond is lost, and counted."""

# The system writes so much to a pipe in one piece, so that lines of several processes do not mix.
_PIECE: Final = 4096
# How long the writer waits before it tries again to tell what was lost.
_RETRY_SECONDS: Final = 1.0
# How long it waits for a descriptor that would block and is set not to.
_BUSY_SECONDS: Final = 0.05

_Answer: TypeAlias = "SimpleQueue[None]"

Losses: TypeAlias = Callable[[int, str], str]
"""Makes the line that tells how many lines were lost, and why."""

_LINE_BREAK: Final = ord("\n")
_QUEUE_FULL: Final = "its reader does not keep up"


class LineWriter:
    """Writes lines to a descriptor; the thread starts with the first line.

    Everything that callers touch can be entered again by the same thread, since a finalizer may log at any point.

    Attributes:
        lost: lines that could not be written and have not been told yet.
    """

    def __init__(self, descriptor: int, losses: Losses, most_waiting: int = MOST_WAITING) -> None:
        self._descriptor = descriptor
        self._losses = losses
        self._most_waiting = most_waiting
        self._thread: threading.Thread | None = None
        # Bytes of an earlier line may stand at the end of the output without its line break.
        self._is_torn = False
        self._is_closed = False
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Begin anew; a forked process has neither the thread nor, perhaps, a usable lock."""
        self._lock = threading.RLock()
        self._lines: list[bytes] = []
        self._waiting = 0
        self._thread = None
        self._calls: SimpleQueue[_Answer | None] = SimpleQueue()
        self.lost = 0
        self._reason = ""

    def write(self, text: str) -> None:
        """Take whole lines to be written soon; never waits, never raises."""
        data = text.encode("utf-8", "backslashreplace")
        size = len(data)
        with self._lock:
            if self._waiting + size > self._most_waiting:
                self._lose(1, _QUEUE_FULL)
                return
            self._waiting += size
            self._lines.append(data)
            is_first = len(self._lines) == 1
        if is_first or self._thread is None:
            self._wake()

    def lose(self, reason: str) -> None:
        """Count a line that could not be made."""
        with self._lock:
            self._lose(1, reason)
        self._wake()

    def flush(self, seconds: float) -> None:
        """Wait until what was taken is written, but no longer than that."""
        if self._thread is None:
            return
        answer: _Answer = SimpleQueue()
        self._calls.put(answer)
        with contextlib.suppress(Empty):
            answer.get(timeout=seconds)

    def close(self, seconds: float) -> None:
        """Write what was taken, within so many seconds, and nothing more."""
        self.flush(seconds)
        self._is_closed = True
        self._wake()

    def _lose(self, count: int, reason: str) -> None:
        self.lost += count
        self._reason = reason

    def _wake(self) -> None:
        if self._thread is None:
            # In the context of its first line, whose labels the line about losses has too.
            run = partial(copy_context().run, self._run, self._calls)
            thread = self._thread = threading.Thread(target=run, name="log", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # No thread can be started now, or any more; the next line tries again.
                self._thread = None
        self._calls.put(None)

    # In the thread

    def _run(self, calls: SimpleQueue[_Answer | None]) -> None:
        while not self._is_closed:
            answer: _Answer | None = None
            with contextlib.suppress(Empty):
                answer = calls.get(timeout=_RETRY_SECONDS if self.lost else None)
            self._write_all()
            if answer is not None:
                answer.put(None)
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def _write_all(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        for piece in _pieces(lines):
            written, reason = self._put(b"".join(piece))
            with self._lock:
                self._waiting -= sum(map(len, piece))
                if reason:
                    self._lose(len(piece) - _whole(piece, written), reason)
        self._tell_losses()

    def _tell_losses(self) -> None:
        lost, reason = self.lost, self._reason
        if not lost:
            return
        _, problem = self._put(self._losses(lost, reason).encode("utf-8", "backslashreplace"))
        if not problem:
            with self._lock:
                self.lost -= lost

    def _put(self, data: bytes) -> tuple[int, str]:
        """Write whole lines; return how many bytes of them are written, and what kept the rest from it, or nothing."""
        added = int(self._is_torn)
        rest = memoryview(b"\n" * added + data)
        written = -added
        while rest:
            try:
                size = os.write(self._descriptor, rest)
            except BlockingIOError:
                threading.Event().wait(_BUSY_SECONDS)
            except OSError as error:
                return max(0, written), error.strerror or str(error)
            else:
                written += size
                self._is_torn = rest[size - 1] != _LINE_BREAK
                rest = rest[size:]
        return written, ""


class StreamWriter:
    """Writes lines to a stream that is no file of the system; what it refuses is lost."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write whole lines; never raises."""
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(text)
                self._stream.flush()

    def lose(self, reason: str) -> None:
        """Forget a line that could not be made."""

    def flush(self, seconds: float) -> None:
        """Do nothing: every line has been written."""

    def close(self, seconds: float) -> None:
        """Do nothing: every line has been written."""


def writer_for(stream: TextIO | None, losses: Losses) -> LineWriter | StreamWriter:
    """Return what writes to a stream; a closed one (None) takes everything and keeps nothing."""
    try:
        # A descriptor of its own: one that is closed, and its number used for something else, is not written to.
        return LineWriter(os.dup(stream.fileno()), losses) if stream is not None else StreamWriter(None)
    except (OSError, ValueError):
        return StreamWriter(stream)


def _pieces(lines: list[bytes]) -> Iterator[list[bytes]]:
    """Yield lines in parts that are written in one piece."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        if piece and size + len(line) > _PIECE:
            yield piece
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    if piece:
        yield piece


def _whole(piece: list[bytes], written: int) -> int:
    """Return how many lines of a piece are among the bytes that were written."""
    return sum(end <= written for end in accumulate(map(len, piece)))
