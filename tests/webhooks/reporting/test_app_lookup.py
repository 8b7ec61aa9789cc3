from __future__ import annotations

import asyncio

import pytest

from sockudo.apps.app import App
from sockudo.errors import DriverError
from sockudo.eventual import Eventual, Future
from sockudo.webhooks.reporting.app_lookup import ABSENT_SECONDS, AGAIN_SECONDS, ASKED, MOST_ASKED, AppLookup
from tests.fakes.clock import FakeClock
from tests.fakes.node import APP_ID, make_app

APP = make_app()


class World:
    """A store that answers when a test lets it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.app: App | None = None
        self.questions: list[Future[App | None]] = []
        self.told: list[str] = []
        self.lookup = AppLookup(self, self.clock, self.told.append)

    def known(self, app_id: str) -> App | None:
        return self.app

    def forget(self, app_id: str) -> None:
        raise AssertionError("nothing here forgets an app")

    def by_id(self, app_id: str) -> Eventual[App | None]:
        question: Future[App | None] = asyncio.get_running_loop().create_future()
        self.questions.append(question)
        return question

    async def answer(self, answer: App | DriverError | None) -> None:
        question = self.questions.pop()
        if isinstance(answer, DriverError):
            question.set_exception(answer)
        else:
            self.app = answer
            question.set_result(answer)
        await asyncio.sleep(0)


@pytest.fixture
async def world() -> World:
    return World()


async def test_who_is_known_is_asked_for_by_nobody(world: World) -> None:
    world.app = APP
    assert world.lookup.find(APP_ID) is APP
    assert world.questions == []


async def test_an_unknown_app_is_asked_for_once_and_told_first(world: World) -> None:
    assert world.lookup.find(APP_ID) is ASKED
    world.app = APP
    # What was kept until now comes before what happens from now on.
    assert world.lookup.find(APP_ID) is ASKED
    assert len(world.questions) == 1
    await world.answer(APP)
    assert world.told == [APP_ID]
    assert world.lookup.find(APP_ID) is APP


async def test_that_there_is_none_is_believed_for_a_while(world: World) -> None:
    world.lookup.find(APP_ID)
    await world.answer(None)
    assert world.told == [APP_ID]
    assert world.lookup.find(APP_ID) is None
    assert world.questions == []
    world.clock.advance(ABSENT_SECONDS)
    assert world.lookup.find(APP_ID) is ASKED


async def test_a_store_that_is_away_is_asked_again(world: World) -> None:
    world.lookup.find(APP_ID)
    await world.answer(DriverError("away"))
    assert world.told == []
    assert world.lookup.find(APP_ID) is ASKED
    assert world.questions == []
    world.clock.advance(AGAIN_SECONDS)
    assert world.told == [APP_ID]
    assert world.lookup.find(APP_ID) is ASKED
    await world.answer(APP)
    assert world.lookup.find(APP_ID) is APP


async def test_what_is_stopped_asks_for_nothing_and_tells_nothing(world: World) -> None:
    world.lookup.find(APP_ID)
    await world.answer(DriverError("away"))
    world.lookup.stop()
    assert world.clock.timers == 0
    assert world.lookup.find(APP_ID) is None
    await world.answer(APP)
    assert world.told == []


async def test_a_limited_number_of_apps_is_asked_for_at_once(world: World) -> None:
    for number in range(MOST_ASKED):
        assert world.lookup.find(f"app-{number}") is ASKED
    assert world.lookup.find("one too many") is None
    assert len(world.questions) == MOST_ASKED
