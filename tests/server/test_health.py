"""What `/up` is told about parts that can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sockudo.apps.memory import MemoryAppManager
from sockudo.errors import DriverError
from sockudo.eventual import Eventual
from sockudo.server.health import Health
from tests.fakes.eventual import AskedAppManager, answer
from tests.fakes.node import make_app


def works() -> None:
    pass


def fails() -> None:
    raise DriverError("the store is gone (some.setting)")


def fails_later() -> Eventual[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(DriverError("the store is gone (some.setting)"))
    return future


def hangs() -> Eventual[None]:
    return asyncio.get_running_loop().create_future()


def health(critical: Callable[[], Eventual[None]] = works, other: Callable[[], Eventual[None]] = works) -> Health:
    return Health(MemoryAppManager([make_app()]), lambda: True, {"cache": critical}, {"queue": other})


async def test_all_parts_that_work_are_ok() -> None:
    assert await answer(health().node()) == "OK"


@pytest.mark.parametrize("check", [fails, fails_later, hangs])
async def test_without_a_critical_part_nothing_works(check: Callable[[], Eventual[None]]) -> None:
    assert await answer(health(critical=check).node()) == "ERROR"


@pytest.mark.parametrize("check", [fails, fails_later, hangs])
async def test_without_another_part_clients_are_still_served(check: Callable[[], Eventual[None]]) -> None:
    assert await answer(health(other=check).node()) == "DEGRADED"


async def test_a_reason_and_its_end_are_logged_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    state = [fails, fails, works, works]
    one = health(critical=lambda: state.pop(0)())
    assert [await answer(one.node()) for _ in range(4)] == ["ERROR", "ERROR", "OK", "OK"]
    log = capsys.readouterr().out
    assert log.count("the store is gone (some.setting)") == 1
    assert log.count("cache usable again") == 1


async def test_an_app_is_looked_up_in_its_store() -> None:
    manager = AskedAppManager()
    one = Health(manager, lambda: True)
    for app, expected in ((make_app(), "OK"), (make_app(enabled=False), "ERROR"), (None, "NOT_FOUND")):
        asked = one.app("1")
        await manager.questions.answer(app)
        assert await answer(asked) == expected
    asked = one.app("1")
    await manager.questions.fail()
    assert await answer(asked) == "ERROR"
