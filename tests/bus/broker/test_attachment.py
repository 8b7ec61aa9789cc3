from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from sockudo.bus.broker import attachment as module
from sockudo.bus.broker.attachment import Attachment, RefusedError
from sockudo.errors import DriverError
from tests.fakes.inbox import RecordingInbox

UNREACHABLE, REFUSING, REFUSING_OTHERWISE, WILLING = "unreachable", "refusing", "refusing otherwise", "willing"


class Driver:
    """A driver whose brokers do what their names say, except those that are in `now`."""

    def __init__(self) -> None:
        self.now: dict[str, str] = {}
        self.tried: list[str] = []
        self._has_tried = asyncio.Event()
        self.attachment: Attachment[str] = Attachment(
            "test", self.attach, lambda: {"topics": 1}, setting="servers", refusing_setting="password", show=str.title
        )

    async def attach(self, broker: str) -> None:
        """Try a broker."""
        assert not self.attachment.is_up
        self.tried.append(broker)
        self._has_tried.set()
        await asyncio.sleep(0)
        match self.now.get(broker, broker):
            case "unreachable":
                raise OSError("no route")
            case "refusing":
                raise RefusedError("wrong password")
            case "refusing otherwise":
                raise RefusedError("no such topic", "topic")

    async def wait_for_attempts(self, count: int) -> None:
        """Return once there were so many."""
        async with asyncio.timeout(20):
            while len(self.tried) < count:
                self._has_tried.clear()
                await self._has_tried.wait()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for next to nothing between two attempts."""

    def delays() -> Iterator[float]:
        while True:
            yield 0.001

    monkeypatch.setattr(module, "delays", delays)


@pytest.fixture
async def driver() -> AsyncIterator[Driver]:
    driver = Driver()
    yield driver
    await driver.attachment.aclose()


async def test_the_first_broker_that_takes_us_is_enough(driver: Driver) -> None:
    await driver.attachment.start([UNREACHABLE, REFUSING, WILLING, "another"], RecordingInbox())
    assert driver.tried == [UNREACHABLE, REFUSING, WILLING]
    assert driver.attachment.is_up


async def test_where_no_server_takes_us_each_problem_names_its_setting(driver: Driver) -> None:
    with pytest.raises(DriverError) as failed:
        await driver.attachment.start([UNREACHABLE, REFUSING, REFUSING_OTHERWISE], RecordingInbox())
    assert str(failed.value).split("; ") == [
        "servers: Unreachable: no route",
        "password: Refusing refuses: wrong password",
        "topic: Refusing Otherwise refuses: no such topic",
    ]
    assert not driver.attachment.is_up


async def test_what_is_lost_is_looked_for_until_it_is_there(driver: Driver) -> None:
    inbox = RecordingInbox()
    await driver.attachment.start([WILLING, "another"], inbox)
    driver.now = {WILLING: UNREACHABLE, "another": REFUSING}
    driver.attachment.lost("gone")
    # Told once, however often.
    driver.attachment.lost("gone again")
    assert inbox.losses == ["gone"]
    assert not driver.attachment.is_up
    await driver.wait_for_attempts(10)
    assert not inbox.restorations
    driver.now = {WILLING: UNREACHABLE}
    await inbox.wait_for_restoration()
    assert driver.tried[-2:] == [WILLING, "another"]
    assert driver.attachment.is_up


async def test_who_is_closed_looks_no_more(driver: Driver) -> None:
    inbox = RecordingInbox()
    await driver.attachment.start([WILLING], inbox)
    driver.now = {WILLING: UNREACHABLE}
    driver.attachment.lost("gone")
    await driver.attachment.aclose()
    tried = len(driver.tried)
    await asyncio.sleep(0.02)
    assert len(driver.tried) == tried
    driver.attachment.lost("gone again")
    assert inbox.losses == ["gone"]
