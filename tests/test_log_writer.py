"""What happens to lines that cannot be written, or not now."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockudo.log_writer import LineWriter, StreamWriter, writer_for

SOON = 10.0


def told(lost: int, reason: str) -> str:
    return f"lost {lost}: {reason}\n"


class Pipe:
    """A pipe with a writer at one end, and a test at the other."""

    def __init__(self, most_waiting: int = 1 << 20) -> None:
        self.read_end, self.write_end = os.pipe()
        self.writer = LineWriter(self.write_end, told, most_waiting)

    def read(self, until: str) -> str:
        """Return what is read up to and with a text."""
        data = b""
        while until.encode() not in data:
            data += os.read(self.read_end, 65_536)
        return data.decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    with contextlib.suppress(OSError):
        os.close(made.read_end)
    made.writer.close(SOON)


def test_lines_are_written_in_their_order(pipe: Pipe) -> None:
    for number in range(3000):
        pipe.writer.write(f"line {number}\n")
    lines = pipe.read("line 2999\n").splitlines()
    assert lines == [f"line {number}" for number in range(3000)]


def test_a_flush_waits_for_the_lines_before_it(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        writer = LineWriter(os.dup(file.fileno()), told)
        writer.write("one\n")
        writer.flush(SOON)
        assert (tmp_path / "log").read_text() == "one\n"
        writer.close(SOON)


def test_a_pipe_that_nobody_reads_holds_nobody_up() -> None:
    pipe = Pipe(most_waiting=100_000)
    line = "x" * 999 + "\n"
    for _ in range(1000):
        pipe.writer.write(line)
    lost = pipe.writer.lost
    # What the pipe holds, what waits, and what is on its way.
    assert 700 < lost < 1000
    text = pipe.read("keep up\n")
    assert text.count(line) == 1000 - lost
    assert text.endswith(f"lost {lost}: its reader does not keep up\n")
    assert pipe.writer.lost == 0
    pipe.writer.close(SOON)
    os.close(pipe.read_end)


def test_a_reader_that_is_gone_costs_lines_only(pipe: Pipe) -> None:
    os.close(pipe.read_end)
    for _ in range(3):
        pipe.writer.write("nobody reads this\n")
    pipe.writer.flush(SOON)
    assert pipe.writer.lost == 3
    pipe.writer.write("nor this\n")
    pipe.writer.flush(SOON)
    assert pipe.writer.lost == 4


class FullDisk:
    """Stands in for the disk under one descriptor. It has room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.written = b""
        self.descriptor = os.open(os.devnull, os.O_WRONLY)
        self.real_write = os.write

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        # Threads that write elsewhere go on at the same time.
        if descriptor != self.descriptor:
            return self.real_write(descriptor, data)
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = bytes(data[: self.room])
        self.room -= len(taken)
        self.written += taken
        return len(taken)


def test_a_full_disk_is_logged_once_there_is_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk(room=11)
    monkeypatch.setattr("os.write", disk.write)
    writer = LineWriter(disk.descriptor, told)
    for text in ("first\n", "second\n", "third\n"):
        writer.write(text)
        writer.flush(SOON)
    assert disk.written == b"first\nsecon"
    disk.room = 1000
    writer.write("fourth\n")
    writer.flush(SOON)
    assert disk.written == b"first\nsecon\nfourth\nlost 2: No space left on device\n"
    monkeypatch.undo()
    writer.close(SOON)


def test_losses_are_told_without_another_line(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FullDisk(room=0)
    monkeypatch.setattr("os.write", disk.write)
    writer = LineWriter(disk.descriptor, told)
    writer.write("one\n")
    writer.flush(SOON)
    disk.room = 1000
    writer.flush(SOON)
    assert disk.written == b"lost 1: No space left on device\n"
    monkeypatch.undo()
    writer.close(SOON)


def test_a_descriptor_that_would_block_is_waited_for() -> None:
    pipe = Pipe()
    os.set_blocking(pipe.write_end, False)
    lines = ["y" * 999 + "\n" for _ in range(300)]
    for line in lines:
        pipe.writer.write(line)
    pipe.writer.write("the end\n")
    assert pipe.read("the end\n").splitlines(keepends=True) == [*lines, "the end\n"]
    assert pipe.writer.lost == 0
    pipe.writer.close(SOON)
    os.close(pipe.read_end)


def test_a_stuck_pipe_does_not_keep_the_process() -> None:
    code = (
        "import sys\n"
        "from sockudo import log\n"
        "log.configure()\n"
        "for _ in range(20_000): log.get_logger('test').info('x' * 400)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.wait(60) == 0
    assert process.stdout is not None
    process.stdout.close()


def test_the_last_lines_of_a_process_are_written() -> None:
    code = "from sockudo import log\nlog.configure()\nfor n in range(500): log.get_logger('t').info(f'line {n}.')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert [f"line {number}." in line for number, line in enumerate(done.stdout.splitlines())] == [True] * 500


def test_a_forked_process_writes_lines_of_its_own() -> None:
    code = (
        "import os\n"
        "from sockudo import log\n"
        "log.configure()\n"
        "log.get_logger('t').info('before')\n"
        "pid = os.fork()\n"
        "log.get_logger('t').info('child' if pid == 0 else 'parent')\n"
        "log.flush()\n"
        "os._exit(0) if pid == 0 else os.waitpid(pid, 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert sorted(word for word in ("before", "child", "parent") for _ in range(done.stdout.count(word))) == [
        "before",
        "child",
        "parent",
    ]


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", "| true"])
def test_an_output_that_takes_nothing_ends_no_process(redirection: str) -> None:
    code = "from sockudo import log; log.configure(); log.get_logger('t').info('x'); log.flush()"
    command = f'set -o pipefail; {sys.executable} -c "{code}" {redirection}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stream_without_a_descriptor_is_written_to() -> None:
    stream = io.StringIO()
    writer = writer_for(stream, told)
    assert isinstance(writer, StreamWriter)
    writer.write("one\n")
    stream.close()
    writer.write("two\n")
    writer_for(None, told).write("nowhere\n")
