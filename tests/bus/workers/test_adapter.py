"""The bus of the workers keeps the contract of every adapter, and what is special about it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sockudo.bus.base import Adapter
from sockudo.bus.workers import wire as wire
from sockudo.bus.workers.adapter import IpcAdapter, IpcOptions
from sockudo.errors import DriverError
from tests.contracts.adapter import AdapterContract, joined
from tests.fakes.inbox import RecordingInbox

QUICK = IpcOptions(scan_seconds=0.05)


@pytest.fixture
def directory(socket_directory: Path) -> Path:
    return socket_directory


class TestIpcAdapter(AdapterContract):
    @pytest.fixture
    def adapters(self, directory: Path) -> list[Adapter]:
        return [IpcAdapter(directory, index) for index in range(3)]


@contextlib.asynccontextmanager
async def node(
    directory: Path, index: int, options: IpcOptions = QUICK
) -> AsyncIterator[tuple[IpcAdapter, RecordingInbox]]:
    """A started node and its inbox."""
    adapter, inbox = IpcAdapter(directory, index, options), RecordingInbox()
    await adapter.start(inbox)
    try:
        yield adapter, inbox
    finally:
        await adapter.aclose()


@contextlib.asynccontextmanager
async def raw_peer(directory: Path, index: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a node that says and reads only what the test does."""
    reader, writer = await asyncio.open_unix_connection(str(directory / f"{index}.sock"))
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def frames_from(reader: asyncio.StreamReader, count: int) -> list[wire.Frame]:
    """Return the next frames that a node sends."""
    frames: list[wire.Frame] = []
    parser = wire.Reader()
    async with asyncio.timeout(30):
        while len(frames) < count:
            frames += parser.feed(await reader.readexactly(1))
    return frames


async def test_a_worker_alone_is_connected_and_confirms_at_once(directory: Path) -> None:
    async with node(directory, 0) as (alone, inbox):
        confirmed = alone.subscribe("t")
        alone.publish("t", b"to nobody")
        assert alone.is_connected
        assert confirmed is not None
        assert confirmed.done()
        assert (inbox.losses, alone.peers, alone.dropped) == ([], 0, 0)


async def test_the_directory_is_for_its_owner_only(directory: Path) -> None:
    async with node(directory / "new", 0):
        assert stat.S_IMODE((directory / "new").stat().st_mode) == 0o700


async def test_a_worker_that_comes_back_hears_and_is_heard(directory: Path) -> None:
    async with node(directory, 0) as (first, heard_by_first):
        await joined(first, "a")
        for number in range(3):
            async with node(directory, 1) as (second, heard_by_second):
                await joined(second, "b")
                first.publish("b", b"%d" % number)
                second.publish("a", b"%d" % number)
                await heard_by_second.wait_for_messages(1)
        assert await heard_by_first.wait_for_messages(3) == [("a", b"0"), ("a", b"1"), ("a", b"2")]
        assert heard_by_first.losses == []


async def test_a_new_worker_knows_all_topics_when_its_start_ends(directory: Path) -> None:
    topics = [f"topic-{number}" for number in range(5000)]
    async with node(directory, 0) as (first, heard):
        for topic in topics:
            first.subscribe(topic)
        async with node(directory, 1) as (second, _):
            for topic in topics:
                second.publish(topic, topic.encode())
            assert await heard.wait_for_messages(5000) == [(topic, topic.encode()) for topic in topics]


async def test_a_worker_that_left_thousands_of_topics_hears_nothing(directory: Path) -> None:
    async with node(directory, 0) as (first, _), node(directory, 1) as (second, heard):
        await asyncio.gather(*(joined(second, f"t{number}") for number in range(3000)))
        for number in range(3000):
            second.unsubscribe(f"t{number}")
        await joined(second, "end")
        assert list(first._audiences) == ["end"]
        first.publish("t7", b"x")
        first.publish("end", b"y")
        assert await heard.wait_for_messages(1) == [("end", b"y")]


async def test_a_message_of_megabytes_arrives_whole_and_in_order(directory: Path) -> None:
    large = bytes(range(256)) * 80_000
    async with node(directory, 0) as (first, _), node(directory, 1) as (second, heard):
        await joined(second, "t")
        for data in (b"before", large, b"after"):
            first.publish("t", data)
        assert [data for _, data in await heard.wait_for_messages(3)] == [b"before", large, b"after"]


async def test_a_topic_being_joined_is_confirmed_to_everybody_who_asks(directory: Path) -> None:
    async with node(directory, 0), node(directory, 1) as (second, _):
        first_asked, second_asked = second.subscribe("t"), second.subscribe("t")
        assert first_asked is not None
        assert second_asked is not None
        first_asked.cancel()
        await asyncio.wait_for(second_asked, 30)


async def test_closing_confirms_what_is_being_joined(directory: Path) -> None:
    async with node(directory, 0), node(directory, 1) as (second, _):
        asked = second.subscribe("a")
        await asyncio.sleep(0)
        just_asked = second.subscribe("b")
        await second.aclose()
        assert asked is not None
        assert just_asked is not None
        assert asked.done()
        assert just_asked.done()
        second.publish("t", b"x")
        assert second.dropped == 1


async def test_the_file_of_a_dead_worker_is_replaced_without_delay(directory: Path) -> None:
    for index in (1, 2):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(directory / f"{index}.sock"))
    async with asyncio.timeout(2), node(directory, 0) as (first, _), node(directory, 1) as (second, heard):
        await joined(second, "t")
        first.publish("t", b"1")
        assert await heard.wait_for_messages(1) == [("t", b"1")]
    assert os.listdir(directory) == ["2.sock"]


async def test_a_taken_index_is_an_error_that_harms_no_worker(directory: Path) -> None:
    async with node(directory, 0), node(directory, 1) as (second, heard):
        with pytest.raises(DriverError, match="another worker listens there"):
            await IpcAdapter(directory, 1).start(RecordingInbox())
        async with node(directory, 2) as (third, _):
            await joined(second, "t")
            third.publish("t", b"1")
            assert await heard.wait_for_messages(1) == [("t", b"1")]


async def test_a_path_too_long_for_a_socket_is_an_error(directory: Path) -> None:
    with pytest.raises(DriverError, match=r"\(workers\) .* AF_UNIX path too long"):
        await IpcAdapter(directory / ("x" * 120), 0).start(RecordingInbox())


async def test_a_directory_that_cannot_be_made_is_an_error(directory: Path) -> None:
    (directory / "file").touch()
    with pytest.raises(DriverError, match="cannot listen on"):
        await IpcAdapter(directory / "file", 0).start(RecordingInbox())


async def test_dropping_a_worker_that_does_not_read_costs_others_nothing(directory: Path) -> None:
    options = IpcOptions(max_unsent_bytes=1_000_000, scan_seconds=0.05, settle_seconds=0.2)
    async with node(directory, 0, options) as (first, _), node(directory, 1) as (second, heard):
        await joined(second, "t")
        async with raw_peer(directory, 0) as (reader, writer):
            writer.write(wire.hello(9) + wire.frame(wire.JOIN, b"t") + wire.numbered(wire.SYNC, 7))
            kinds = [kind for kind, _, _ in await frames_from(reader, 2)]
            assert kinds == [wire.HELLO, wire.DONE]
            count = 0
            while not first.overflows:
                first.publish("t", bytes(50_000))
                count += 1
                await heard.wait_for_messages(count)
            assert 20 < count < 1000
            await heard.wait_for_messages(count)
        assert first.peers == 1


async def test_a_worker_that_is_stuck_delays_joining_only_once(directory: Path) -> None:
    options = IpcOptions(scan_seconds=0.05, answer_seconds=0.2, settle_seconds=0.2)
    # The kernel accepts for it, and nobody reads.
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.bind(str(directory / "5.sock"))
        stuck.listen(16)
        async with node(directory, 0, options) as (first, _), node(directory, 1, options) as (second, heard):
            await joined(first, "slow")
            await joined(second, "slow")
            started = asyncio.get_running_loop().time()
            for number in range(20):
                await joined(second, f"t{number}")
            assert asyncio.get_running_loop().time() - started < 0.2
            first.publish("t19", b"1")
            assert await heard.wait_for_messages(1) == [("t19", b"1")]


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        wire.frame(wire.JOIN, b"t"),
        wire.frame(wire.HELLO, b"", b"\x02\x09\x00\x00\x00"),
        wire.hello(9) + wire.frame(wire.JOIN, b"\xff"),
    ],
    ids=["http", "no hello", "another version", "not text"],
)
async def test_a_peer_that_speaks_otherwise_is_dropped(raw: bytes, directory: Path) -> None:
    async with node(directory, 0) as (first, _):
        async with raw_peer(directory, 0) as (reader, writer):
            writer.write(raw)
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 10)
        async with node(directory, 1) as (second, heard):
            await joined(second, "t")
            first.publish("t", b"1")
            assert await heard.wait_for_messages(1) == [("t", b"1")]


async def test_a_worker_that_dials_again_replaces_its_old_connection(directory: Path) -> None:
    async with node(directory, 0) as (first, _), raw_peer(directory, 0) as (old, old_writer):
        old_writer.write(wire.hello(9) + wire.frame(wire.JOIN, b"t"))
        await frames_from(old, 1)
        async with raw_peer(directory, 0) as (new, new_writer):
            new_writer.write(wire.hello(9) + wire.frame(wire.JOIN, b"t") + wire.numbered(wire.SYNC, 1))
            await frames_from(new, 2)
            assert await asyncio.wait_for(old.read(), 10) == b""
            first.publish("t", b"1")
            assert await frames_from(new, 1) == [(wire.MESSAGE, b"t", b"1")]


async def test_a_worker_is_found_in_the_directory_without_its_call(directory: Path) -> None:
    async with node(directory, 0) as (first, heard):
        await joined(first, "t")
        # It listens and never dials, so only a look at the directory can find it.
        dialled: asyncio.Queue[asyncio.StreamReader] = asyncio.Queue()
        writers: list[asyncio.StreamWriter] = []

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            writer.write(wire.hello(3) + wire.frame(wire.MESSAGE, b"t", b"found"))
            dialled.put_nowait(reader)

        server = await asyncio.start_unix_server(accept, str(directory / "3.sock"))
        async with asyncio.timeout(30):
            reader = await dialled.get()
            kinds = [(kind, name) for kind, name, _ in await frames_from(reader, 3)]
            assert kinds == [(wire.HELLO, b""), (wire.JOIN, b"t"), (wire.SYNC, b"")]
            assert await heard.wait_for_messages(1) == [("t", b"found")]
        server.close()
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def test_a_message_the_wire_cannot_carry_is_dropped_and_counted(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 1000)
    async with node(directory, 0) as (first, _), node(directory, 1) as (second, heard):
        await joined(second, "t")
        first.publish("t", bytes(501))
        first.publish("t", b"fits")
        assert await heard.wait_for_messages(1) == [("t", b"fits")]
        assert first.dropped == 1
