"""What `/up` is told about parts that can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sockudo.api.health import Verdict
from sockudo.apps.memory import MemoryAppManager
from sockudo.errors import DriverError
from sockudo.eventual import Eventual
from sockudo.server.health import HealthChecks
from tests.fakes.eventual import AskedAppManager, answer
from tests.fakes.gates import FakeGates
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


def health(critical: Callable[[], Eventual[None]] = works, other: Callable[[], Eventual[None]] = works) -> HealthChecks:
    return HealthChecks(
        MemoryAppManager([make_app()]), FakeGates(), {"cache": critical}, {"queue": other}, patience=0.2
    )


async def test_all_parts_that_work_are_ok() -> None:
    assert await answer(health().node()) == Verdict("OK")


@pytest.mark.parametrize("check", [fails, fails_later, hangs])
async def test_without_a_critical_part_nothing_works(check: Callable[[], Eventual[None]]) -> None:
    assert await answer(health(critical=check).ready()) == Verdict("ERROR", "cache unusable; the log says why")


@pytest.mark.parametrize("check", [fails, fails_later, hangs])
async def test_without_another_part_clients_are_still_served(check: Callable[[], Eventual[None]]) -> None:
    assert await answer(health(other=check).ready()) == Verdict("DEGRADED")


async def test_a_reason_and_its_end_are_logged_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    state = [fails, fails, works, works]
    one = health(critical=lambda: state.pop(0)())
    assert [(await answer(one.node())).word for _ in range(4)] == ["ERROR", "ERROR", "OK", "OK"]
    log = capsys.readouterr().out
    assert log.count("the store is gone (some.setting)") == 1
    assert log.count("cache usable again") == 1


async def test_an_app_is_looked_up_in_its_store() -> None:
    manager = AskedAppManager()
    one = HealthChecks(manager, FakeGates())
    for app, expected in ((make_app(), "OK"), (make_app(enabled=False), "ERROR"), (None, "NOT_FOUND")):
        asked = one.app("1")
        await manager.questions.answer(app)
        assert (await answer(asked)).word == expected
    asked = one.app("1")
    await manager.questions.fail()
    assert (await answer(asked)).word == "ERROR"


@pytest.mark.parametrize(
    ("gates", "up", "ready"),
    [
        (FakeGates(is_draining=True, full_text="full"), ("DRAINING", "the server shuts down"), None),
        (FakeGates(full_text="full"), ("OK", ""), ("ERROR", "full")),
        (FakeGates(overload_text="no memory"), ("ERROR", "no memory"), None),
        (FakeGates(isolation_text="bus unreachable"), ("ERROR", "bus unreachable"), None),
    ],
)
async def test_a_closed_gate_comes_before_the_stores(
    gates: FakeGates, up: tuple[str, str], ready: tuple[str, str] | None
) -> None:
    one = HealthChecks(MemoryAppManager([make_app()]), gates)
    assert (await answer(one.node()))[:2] == up
    assert (await answer(one.ready()))[:2] == (ready or up)


async def test_a_store_may_take_as_long_as_the_setting_says(capsys: pytest.CaptureFixture[str]) -> None:
    await answer(health(critical=hangs).node())
    assert "no answer in 0.2 s (health_check_timeout_ms)" in capsys.readouterr().out
