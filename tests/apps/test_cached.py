"""Apps of a database are asked for as rarely as possible, and never answered from before a change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from sockudo.apps import cached
from sockudo.apps.app import App
from sockudo.apps.cached import AT_ONCE, CachedAppManager
from sockudo.apps.database.record import Record
from sockudo.apps.shelf import ABSENT_TTL
from sockudo.errors import ConfigError, DriverError
from sockudo.eventual import Eventual, Future
from tests.contracts.app_store import record
from tests.fakes.app_store import FakeAppStore
from tests.fakes.clock import FakeClock
from tests.fakes.node import make_app

TTL = 100.0


def make(found: Record) -> App:
    """Make an app of a record; `broken` makes none."""
    if found["id"] == "broken":
        raise ConfigError(["secret: is wrong"])
    return make_app(id=found["id"], key=found["key"], enabled=found["enabled"])


class World:
    """A manager with its store and its clock."""

    def __init__(self, ttl: float = TTL) -> None:
        self.clock = FakeClock()
        self.store = FakeAppStore(record())
        self.manager = CachedAppManager(self.store, make, self.clock, ttl, [])

    def change(self, **properties: object) -> None:
        """Change the app in the database, without telling anybody."""
        self.store.records["app"] = self.store.records["app"] | properties

    async def settle(self) -> None:
        """Let everything happen that can."""
        for _ in range(10):
            await asyncio.sleep(0)

    async def known(self) -> App | None:
        """Return what is known of the app, a moment after somebody looked."""
        self.manager.known("app")
        await self.settle()
        return self.manager.known("app")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.store.answer()
    await world.manager.aclose()


async def answer(asked: Eventual[App | None]) -> App | None:
    return await asked if isinstance(asked, Future) else asked


async def test_an_app_is_asked_for_once_and_then_kept(world: World) -> None:
    app = await answer(world.manager.by_id("app"))
    assert app is not None
    assert app.id == "app"
    assert world.manager.by_id("app") is app
    assert world.manager.by_key("app-key") is app
    assert world.manager.known("app") is app
    assert world.store.asked == ["id app"]


async def test_an_app_found_by_its_key_is_known_by_id(world: World) -> None:
    app = await answer(world.manager.by_key("app-key"))
    assert app is not None
    assert world.manager.by_id("app") is app
    assert world.store.asked == ["key app-key"]


async def test_who_asks_for_the_same_waits_for_the_same_answer(world: World) -> None:
    world.store.is_slow = True
    asked = [world.manager.by_key("app-key") for _ in range(100)]
    await world.settle()
    assert world.store.asked == ["key app-key"]
    world.store.answer()
    apps = {await answer(one) for one in asked}
    assert len(apps) == 1


async def test_who_stops_waiting_does_not_stop_the_others(world: World) -> None:
    world.store.is_slow = True
    first, second = world.manager.by_id("app"), world.manager.by_id("app")
    await world.settle()
    assert isinstance(first, Future)
    first.cancel()
    await world.settle()
    world.store.answer()
    assert await answer(second) is not None


async def test_nothing_is_known_before_it_was_asked_for(world: World) -> None:
    assert world.manager.known("app") is None
    assert world.store.asked == []


async def test_an_unknown_key_is_asked_for_once_in_a_while(world: World) -> None:
    for _ in range(3):
        assert await answer(world.manager.by_key("nobody")) is None
    assert world.store.asked == ["key nobody"]
    world.clock.advance(ABSENT_TTL)
    assert await answer(world.manager.by_key("nobody")) is None
    assert world.store.asked == ["key nobody"] * 2


async def test_a_name_no_app_can_have_is_never_asked_for(world: World) -> None:
    for name in ("", "x" * 256, "a\0b", "\ud800"):
        assert world.manager.by_key(name) is None
        assert world.manager.by_id(name) is None
    assert world.store.asked == []


async def test_guessing_keys_leaves_the_database_to_the_apps_in_use(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "MAX_WAITING", 50)
    app = await answer(world.manager.by_id("app"))
    world.store.is_slow = True
    guesses = [world.manager.by_key(f"guess-{number}") for number in range(60)]
    await world.settle()
    # A few at once; of the others, those over the bound are told so.
    assert world.store.waiting == AT_ONCE
    refused = [guess for guess in guesses if isinstance(guess, Future) and guess.done()]
    assert len(refused) == 10
    for guess in refused:
        with pytest.raises(DriverError, match="more than 50 look-ups of unknown apps"):
            await guess
    world.clock.advance(TTL * 0.9)
    assert world.manager.by_id("app") is app
    await world.settle()
    assert world.store.asked[-1] == "id app"
    assert world.store.waiting == AT_ONCE + 1
    world.store.is_slow = False
    world.store.answer()
    assert [await answer(guess) for guess in guesses if guess not in refused] == [None] * 50


async def flood(world: World, count: int = 20_000) -> list[Eventual[App | None]]:
    """Ask for very many keys and ids that no app has, of a database that does not answer."""
    world.store.is_slow = True
    guesses: list[Eventual[App | None]] = []
    for number in range(count):
        guesses += [world.manager.by_key(f"key-{number}"), world.manager.by_id(f"id-{number}")]
    await world.settle()
    return guesses


async def settle_all(guesses: list[Eventual[App | None]]) -> None:
    await asyncio.gather(*(guess for guess in guesses if isinstance(guess, Future)), return_exceptions=True)


@pytest.mark.parametrize("how", ["id", "key"])
async def test_a_flood_of_unknown_keys_hides_no_expired_app(world: World, how: str) -> None:
    await answer(world.manager.by_id("app"))
    guesses = await flood(world)
    world.clock.advance(TTL + 1)
    asked = world.manager.by_id("app") if how == "id" else world.manager.by_key("app-key")
    await world.settle()
    assert world.store.asked[-1] == "id app"
    world.store.answer()
    assert (found := await answer(asked)) is not None
    assert world.manager.by_key("app-key") is found
    world.store.is_slow = False
    world.store.answer()
    await settle_all(guesses)
    # What was learnt of the guesses has taken no room from the app.
    assert world.manager.by_id("app") is found


async def test_a_flood_of_unknown_keys_does_not_block_known_ids(world: World) -> None:
    world.store.is_slow = True
    guesses = [world.manager.by_key(f"key-{number}") for number in range(20_000)]
    asked = world.manager.by_id("app")
    await world.settle()
    assert "id app" in world.store.asked
    world.store.answer()
    assert await answer(asked) is not None
    world.store.is_slow = False
    world.store.answer()
    await settle_all(guesses)


async def test_repeated_changes_keep_few_questions_waiting(world: World) -> None:
    await answer(world.manager.by_id("app"))
    world.store.is_slow = True
    for _ in range(1000):
        world.manager.forget("app")
        world.manager.by_key("guess")
        await asyncio.sleep(0)
    await world.settle()
    assert world.store.waiting <= AT_ONCE + 1
    world.change(enabled=False)
    world.store.is_slow = False
    world.store.answer()
    await world.settle()
    app = await answer(world.manager.by_id("app"))
    assert app is not None
    assert not app.enabled


async def test_an_app_in_use_is_renewed_before_it_expires(world: World) -> None:
    old = await answer(world.manager.by_id("app"))
    world.change(enabled=False)
    world.clock.advance(TTL * 0.74)
    assert world.manager.by_id("app") is old
    await world.settle()
    assert world.store.asked == ["id app"]
    world.clock.advance(TTL * 0.02)
    assert world.manager.by_id("app") is old
    assert world.manager.by_key("app-key") is old
    await world.settle()
    assert world.store.asked == ["id app"] * 2
    new = world.manager.by_id("app")
    assert isinstance(new, App)
    assert not new.enabled
    world.clock.advance(TTL * 0.74)
    assert world.manager.by_id("app") is new


async def test_an_unused_app_is_asked_for_again_after_its_time(world: World) -> None:
    await answer(world.manager.by_id("app"))
    world.change(enabled=False)
    world.clock.advance(TTL)
    app = await answer(world.manager.by_key("app-key"))
    assert app is not None
    assert not app.enabled
    assert world.store.asked == ["id app"] * 2


async def test_what_is_known_is_renewed_for_those_who_never_wait(world: World) -> None:
    await answer(world.manager.by_id("app"))
    world.change(enabled=False)
    world.clock.advance(TTL * 10)
    old = world.manager.known("app")
    assert old is not None
    assert old.enabled
    new = await world.known()
    assert new is not None
    assert not new.enabled
    assert world.store.asked == ["id app"] * 2


async def test_a_deleted_app_is_gone_when_looked_up_again(world: World) -> None:
    await answer(world.manager.by_id("app"))
    del world.store.records["app"]
    world.clock.advance(TTL)
    assert await answer(world.manager.by_key("app-key")) is None
    assert world.manager.known("app") is None
    assert world.store.asked == ["id app", "id app", "key app-key"]


class TestForgetting:
    async def test_the_next_look_up_asks_again(self, world: World) -> None:
        await answer(world.manager.by_id("app"))
        world.change(enabled=False)
        world.manager.forget("app")
        app = await answer(world.manager.by_id("app"))
        assert app is not None
        assert not app.enabled
        assert world.store.asked == ["id app"] * 2

    async def test_those_who_never_wait_soon_know_as_well(self, world: World) -> None:
        await answer(world.manager.by_id("app"))
        world.change(enabled=False)
        world.manager.forget("app")
        await world.settle()
        app = world.manager.known("app")
        assert app is not None
        assert not app.enabled

    async def test_a_rotated_key_is_gone_and_the_new_one_works(self, world: World) -> None:
        await answer(world.manager.by_key("app-key"))
        assert await answer(world.manager.by_key("new-key")) is None
        world.change(key="new-key")
        world.manager.forget("app")
        app = await answer(world.manager.by_key("new-key"))
        assert app is not None
        assert await answer(world.manager.by_key("app-key")) is None
        assert world.manager.by_id("app") is app

    async def test_an_app_that_was_made_is_there(self, world: World) -> None:
        assert await answer(world.manager.by_id("new")) is None
        assert await answer(world.manager.by_key("new-key")) is None
        world.store.records["new"] = record("new")
        world.manager.forget("new")
        assert await answer(world.manager.by_key("new-key")) is not None
        assert await answer(world.manager.by_id("new")) is not None

    async def test_an_answer_from_before_the_change_is_not_kept(self, world: World) -> None:
        world.store.is_slow = True
        before = world.manager.by_id("app")
        await world.settle()
        world.change(enabled=False)
        world.manager.forget("app")
        after = world.manager.by_id("app")
        await world.settle()
        assert world.store.asked == ["id app"] * 2
        world.store.answer()
        old, new = await answer(before), await answer(after)
        assert old is not None
        assert old.enabled
        assert new is not None
        assert not new.enabled
        assert world.manager.by_id("app") is new

    async def test_a_change_during_the_first_look_up_causes_another(self, world: World) -> None:
        world.store.is_slow = True
        asked = world.manager.by_key("app-key")
        await world.settle()
        world.change(enabled=False)
        world.manager.forget("app")
        world.store.is_slow = False
        world.store.answer()
        old = await answer(asked)
        assert old is not None
        assert world.manager.known("app") is old
        new = await answer(world.manager.by_id("app"))
        assert new is not None
        assert not new.enabled

    async def test_an_app_that_is_not_known_costs_nothing(self, world: World) -> None:
        world.manager.forget("app")
        await world.settle()
        assert world.store.asked == []


class TestADatabaseThatGoesAway:
    async def test_an_unknown_app_cannot_be_looked_up(self, world: World) -> None:
        world.store.is_gone = True
        for asked in (world.manager.by_id("app"), world.manager.by_key("app-key")):
            with pytest.raises(DriverError, match="fake database"):
                await answer(asked)
        world.store.is_gone = False
        assert await answer(world.manager.by_id("app")) is not None

    async def test_an_app_in_use_works_for_another_time_to_live(self, world: World) -> None:
        app = await answer(world.manager.by_id("app"))
        world.clock.advance(TTL * 0.8)
        world.store.is_gone = True
        assert world.manager.by_id("app") is app
        await world.settle()
        world.clock.advance(TTL * 0.99)
        assert world.manager.by_id("app") is app
        await world.settle()
        world.clock.advance(TTL * 0.01)
        with pytest.raises(DriverError):
            await answer(world.manager.by_id("app"))
        assert world.manager.known("app") is app

    async def test_an_app_whose_time_was_over_is_not_revived(self, world: World) -> None:
        app = await answer(world.manager.by_id("app"))
        world.clock.advance(TTL)
        world.store.is_gone = True
        assert world.manager.known("app") is app
        await world.settle()
        with pytest.raises(DriverError):
            await answer(world.manager.by_id("app"))

    async def test_an_app_that_somebody_changed_is_not_revived(self, world: World) -> None:
        await answer(world.manager.by_id("app"))
        world.store.is_gone = True
        world.manager.forget("app")
        await world.settle()
        with pytest.raises(DriverError):
            await answer(world.manager.by_key("app-key"))

    async def test_an_app_in_use_is_asked_for_once_a_second(self, world: World) -> None:
        await answer(world.manager.by_id("app"))
        world.clock.advance(TTL * 0.8)
        world.store.is_gone = True
        for _ in range(100):
            world.manager.by_id("app")
            world.manager.known("app")
            await world.settle()
        assert world.store.asked == ["id app"] * 2
        world.clock.advance(1)
        world.manager.by_id("app")
        await world.settle()
        assert world.store.asked == ["id app"] * 3

    async def test_going_and_coming_back_is_told_once(self, world: World) -> None:
        with capture_logs() as lines:
            world.store.is_gone = True
            for _ in range(3):
                with pytest.raises(DriverError):
                    await answer(world.manager.by_id("app"))
                with pytest.raises(DriverError):
                    await world.manager.check()
            world.store.is_gone = False
            for _ in range(3):
                await world.manager.check()
                await answer(world.manager.by_id("app"))
        assert [(line["log_level"], line["event"]) for line in lines] == [
            ("error", "database of apps unusable"),
            ("info", "database of apps usable again"),
        ]
        assert lines[0]["error"] == "fake database cannot be used"


class TestWithoutACache:
    @pytest.fixture
    async def world(self) -> AsyncIterator[World]:
        world = World(ttl=0)
        yield world
        await world.manager.aclose()

    async def test_every_look_up_asks_and_those_at_once_ask_once(self, world: World) -> None:
        first = await answer(world.manager.by_id("app"))
        world.change(enabled=False)
        second, third = await asyncio.gather(*(answer(world.manager.by_id("app")) for _ in range(2)))
        assert first is not None
        assert first.enabled
        assert second is third
        assert second is not None
        assert not second.enabled
        assert world.store.asked == ["id app"] * 2
        for _ in range(2):
            assert await answer(world.manager.by_key("nobody")) is None
        assert world.store.asked == ["id app"] * 2 + ["key nobody"] * 2

    async def test_those_who_never_wait_know_what_was_found_last(self, world: World) -> None:
        app = await answer(world.manager.by_id("app"))
        for _ in range(100):
            assert world.manager.known("app") is app
            await world.settle()
        assert world.store.asked == ["id app"]
        world.change(enabled=False)
        world.clock.advance(1)
        changed = await world.known()
        assert changed is not None
        assert not changed.enabled

    async def test_an_outage_is_noticed_at_once(self, world: World) -> None:
        await answer(world.manager.by_id("app"))
        world.store.is_gone = True
        with pytest.raises(DriverError):
            await answer(world.manager.by_id("app"))


class TestTheState:
    async def test_a_database_with_an_app_is_well(self, world: World) -> None:
        await world.manager.check()

    async def test_a_database_without_one_is_not(self, world: World) -> None:
        world.store.records.clear()
        with pytest.raises(DriverError, match=r"no app in the database \(app_manager\.driver\)"):
            await world.manager.check()

    async def test_who_stops_waiting_does_not_ask_again_and_again(self, world: World) -> None:
        world.store.is_slow = True
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(world.manager.check(), 0.001)
        assert world.store.asked == ["any"]
        world.store.answer()
        await world.settle()
        world.store.is_slow = False
        await world.manager.check()
        assert world.store.asked == ["any"] * 2


async def test_an_invalid_app_is_logged_and_counts_as_none(world: World) -> None:
    world.store.records["broken"] = record("broken", secret="hidden")
    with capture_logs() as lines:
        for _ in range(2):
            assert await answer(world.manager.by_id("broken")) is None
    assert [(line["app"], line["problems"]) for line in lines] == [("broken", ["secret: is wrong"])]
    assert "hidden" not in str(lines)


async def test_the_start_prepares_the_database() -> None:
    store = FakeAppStore()
    manager = CachedAppManager(store, make, FakeClock(), TTL, [record()])
    assert await manager.start() == ["app"]
    assert list(store.records) == ["app"]
    await manager.aclose()
    assert store.is_closed


async def test_closing_ends_pending_questions_and_may_be_repeated(world: World) -> None:
    world.store.is_slow = True
    asked, checked = world.manager.by_id("app"), world.manager.check()
    await world.settle()
    await world.manager.aclose()
    await world.manager.aclose()
    for waiting in (asked, checked):
        assert isinstance(waiting, Future)
        with pytest.raises(asyncio.CancelledError):
            await waiting
