"""What every adapter of a broker does, with a broker that answers when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from sockudo.bus.broker.adapter import BrokerAdapter
from sockudo.bus.broker.pieces import LONGEST_MESSAGE
from sockudo.errors import DriverError
from tests.fakes.inbox import RecordingInbox


class Link:
    """Notes what it is asked; `answer` confirms all of it."""

    longest_piece = 4
    reason = ""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.published: list[tuple[bytes, bytes, bytes]] = []
        self.is_closed = False
        self._waiting: list[asyncio.Future[None]] = []
        self._is_asked = asyncio.Event()

    def publish(self, address: bytes, label: bytes, data: bytes) -> None:
        self.published.append((address, label, data))

    def caught_up(self, key: bytes) -> asyncio.Future[None]:
        self.asked.append(f"catch up {key.decode()}")
        return self.wait()

    async def aclose(self) -> None:
        self.is_closed = True

    def wait(self) -> asyncio.Future[None]:
        """Return a future of the next answer."""
        self._is_asked.set()
        self._waiting.append(asyncio.get_running_loop().create_future())
        return self._waiting[-1]

    async def answer(self) -> None:
        """Confirm what was asked, and let those go on who waited for it."""
        await self._is_asked.wait()
        self._is_asked.clear()
        for future in self._waiting:
            future.set_result(None)
        self._waiting.clear()
        for _ in range(3):
            await asyncio.sleep(0)


class Driver(BrokerAdapter[str, Link]):
    """Opens one link after another."""

    def __init__(self, *brokers: str) -> None:
        super().__init__("test", str.encode, setting="brokers")
        self.brokers = brokers
        self.opened: asyncio.Queue[Link] = asyncio.Queue()

    def _read_options(self) -> Sequence[str]:
        if not self.brokers:
            raise DriverError("brokers: expected at least one")
        return self.brokers

    async def _open(self, broker: str) -> Link:
        link = Link()
        self.opened.put_nowait(link)
        return link

    def _new_key(self, topic: str) -> bytes:
        return topic.upper().encode()

    def _join(self, link: Link, topic: str, key: bytes) -> None:
        link.asked.append(f"join {topic} {key.decode()}")

    def _joined(self, link: Link, key: bytes) -> asyncio.Future[None]:
        return link.wait()

    def _leave(self, link: Link, key: bytes) -> None:
        link.asked.append(f"leave {key.decode()}")


async def started(driver: Driver) -> tuple[Link, RecordingInbox]:
    """Start a driver that has joined nothing."""
    inbox = RecordingInbox()
    starting = asyncio.ensure_future(driver.start(inbox))
    link = await driver.opened.get()
    await link.answer()
    await starting
    return link, inbox


async def test_unusable_options_are_an_error_at_the_start() -> None:
    with pytest.raises(DriverError, match="brokers: expected at least one"):
        await Driver().start(RecordingInbox())


async def test_a_topic_is_asked_for_once_and_then_caught_up() -> None:
    driver = Driver("a")
    link, _ = await started(driver)
    first, again = driver.subscribe("t"), driver.subscribe("t")
    assert not first.done()
    assert link.asked == ["join t T", "catch up T"]
    await link.answer()
    assert first.done()
    assert again.done()
    await driver.aclose()


async def test_all_topics_are_joined_before_a_new_link_counts() -> None:
    driver = Driver("a")
    link, inbox = await started(driver)
    driver.subscribe("t")
    driver.subscribe("left")
    driver.lost(link, "gone")
    assert driver.subscribe("u").done()
    driver.unsubscribe("left")
    link = await driver.opened.get()
    # While the first answer is awaited, one more is asked for, and its answer is awaited too.
    await asyncio.sleep(0)
    assert driver.subscribe("late").done()
    await link.answer()
    assert not driver.is_connected
    assert inbox.restorations == 0
    await link.answer()
    assert driver.is_connected
    assert link.asked == ["join t T", "join u U", "join late LATE"]
    assert (inbox.losses, inbox.restorations) == (["gone"], 1)
    await driver.aclose()


async def test_a_link_lost_while_it_joins_does_not_count() -> None:
    driver = Driver("a", "b")
    starting = asyncio.ensure_future(driver.start(RecordingInbox()))
    link = await driver.opened.get()
    await asyncio.sleep(0)
    driver.lost(link, "gone")
    await link.answer()
    assert not driver.is_connected
    await (await driver.opened.get()).answer()
    await starting
    assert driver.is_connected
    await driver.aclose()


async def test_what_a_former_link_tells_is_no_loss() -> None:
    driver = Driver("a")
    _, inbox = await started(driver)
    driver.lost(Link(), "gone")
    assert inbox.losses == []
    await driver.aclose()


async def test_what_is_published_without_a_link_is_dropped_and_counted() -> None:
    driver = Driver("a")
    driver.publish("t", b"1")
    link, _ = await started(driver)
    await driver.aclose()
    driver.publish("t", b"2")
    assert (driver.dropped, link.published, link.is_closed) == (2, [], True)


async def test_long_messages_go_in_pieces_and_too_long_ones_never() -> None:
    driver, other = Driver("a"), Driver("a")
    link, _ = await started(driver)
    _, inbox = await started(other)
    other.subscribe("t")
    for data in (b"1", b"123456789", bytes(LONGEST_MESSAGE + 1)):
        driver.publish("t", data)
    assert [(address, data) for address, _, data in link.published] == [
        (b"t", b"1"),
        (b"t", b"1234"),
        (b"t", b"5678"),
        (b"t", b"9"),
    ]
    for _, label, data in link.published:
        other.heard(b"T", label, data)
        other.heard(b"NOT JOINED", label, data)
    assert inbox.messages == [("t", b"1"), ("t", b"123456789")]
    assert driver.too_long == 1
    await driver.aclose()
    await other.aclose()
