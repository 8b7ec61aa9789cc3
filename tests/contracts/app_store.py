"""What every database of apps does.

A driver's test module has `class TestX(AppStoreContract, SchemaContract)` and a fixture `make_store`, which makes
stores of one table, and a fixture `new_store`, which makes them of one that is not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from sockudo.apps.database import changes
from sockudo.apps.database.record import PROPERTIES, Record
from sockudo.apps.database.store import AppExistsError, AppStore
from sockudo.errors import ConfigError, DriverError

MakeStore = Callable[[], AppStore]


def record(app_id: str = "app", **properties: object) -> Record:
    """Return an app that has only what it must have."""
    made: Record = {one.name: None for one in PROPERTIES}
    made |= {"id": app_id, "key": f"{app_id}-key", "secret": f"{app_id}-secret"}
    made |= {"max_connections": 0, "max_client_events_per_second": 0}
    return made | {"enabled": True, "enable_client_messages": False} | properties


def full_record(app_id: str = "full") -> Record:
    """Return an app in which every property says something."""
    counts = {name: number for number, name in enumerate(record(), 1) if name.startswith("max_")}
    flags = {name: True for name in record() if name.startswith("enable")}
    webhook = {
        "url": "https://example.com/hook?a=1&b=\N{SNOWMAN}",
        "event_types": ["channel_occupied", "member_added"],
        "filter": {"channel_prefix": "private-"},
        "headers": {"X-Token": 'it\'s "quoted" \\ and %s :name $1'},
    }
    origins = ["https://*.example.com", "localhost:3000"]
    return record(app_id, **counts, **flags, webhooks=[webhook, webhook], allowed_origins=origins)


class AppStoreContract:
    @pytest.fixture
    async def store(self, make_store: MakeStore) -> AsyncIterator[AppStore]:
        store = make_store()
        await store.start()
        await store.migrate()
        for one in await store.all():
            await store.delete(one["id"])
        yield store
        await store.aclose()

    async def test_an_empty_table_has_no_app(self, store: AppStore) -> None:
        assert not await store.has_any()
        assert await store.all() == []
        assert await store.find_by_id("app") is None
        assert await store.find_by_key("app-key") is None

    async def test_an_app_is_found_by_id_and_key_as_stored(self, store: AppStore) -> None:
        for stored in (record(), full_record()):
            await store.create(stored)
            assert await store.find_by_id(stored["id"]) == stored
            assert await store.find_by_key(stored["key"]) == stored
        assert await store.has_any()

    async def test_apps_are_listed(self, store: AppStore) -> None:
        apps = [record(f"app-{number}") for number in range(20)] + [full_record()]
        await asyncio.gather(*(store.create(app) for app in apps))
        found = await store.all()
        assert sorted(found, key=lambda app: str(app["id"])) == sorted(apps, key=lambda app: str(app["id"]))

    async def test_only_exactly_the_same_id_or_key_is_meant(self, store: AppStore) -> None:
        await store.create(record("app", key="key"))
        for name in ("APP", "app ", " app", "äpp", "ap", "app%", "a_p"):
            assert await store.find_by_id(name) is None, name
            assert not await store.update(record(name, key=f"{name}-key")), name
            assert not await store.delete(name), name
        for name in ("KEY", "key ", " key", "kéy", "ke", "key%", "k_y"):
            assert await store.find_by_key(name) is None, name
        assert await store.find_by_id("app") == record("app", key="key")

    async def test_ids_and_keys_are_text_of_any_kind(self, store: AppStore) -> None:
        names = [
            "'; DROP TABLE applications; --",
            '"quoted"',
            "\N{SNOWMAN} \N{PILE OF POO}",
            "a/b?c=%20",
            ":name $1 %s",
        ]
        names.append("n" * 255)
        for name in names:
            await store.create(record(name, key=name, secret=name))
        for name in names:
            assert await store.find_by_id(name) == await store.find_by_key(name) == record(name, key=name, secret=name)

    async def test_an_id_is_taken_once(self, store: AppStore) -> None:
        await store.create(record(secret="first"))
        with pytest.raises(AppExistsError, match="the id app already"):
            await store.create(record(key="another", secret="second"))
        assert await store.all() == [record(secret="first")]

    async def test_a_key_is_taken_once(self, store: AppStore) -> None:
        await changes.create(store, record())
        with pytest.raises(AppExistsError, match="the key app-key already"):
            await changes.create(store, record("other", key="app-key"))
        await changes.create(store, record("other"))
        with pytest.raises(AppExistsError, match="the key app-key already"):
            await changes.replace(store, record("other", key="app-key"))
        assert await store.find_by_id("other") == record("other")

    async def test_only_a_number_above_the_largest_is_a_problem(self, store: AppStore) -> None:
        largest = store.largest_count or 2**32 - 1
        await changes.create(store, record(max_connections=largest, max_event_batch_size=largest))
        assert await store.find_by_id("app") == record(max_connections=largest, max_event_batch_size=largest)
        if store.largest_count is not None:
            problem = rf"max_event_batch_size: expected an integer between 0 and {largest} in this database"
            with pytest.raises(ConfigError, match=problem):
                await changes.create(store, record("other", max_event_batch_size=largest + 1))
            with pytest.raises(ConfigError, match=problem):
                await changes.replace(store, record(max_event_batch_size=largest + 1))

    async def test_a_name_that_could_not_be_found_is_a_problem(self, store: AppStore) -> None:
        for name in ("id", "key"):
            for wrong in ("n" * 256, "a\0"):
                with pytest.raises(ConfigError, match=f"{name}: expected 1 to 255 characters"):
                    await changes.create(store, record() | {name: wrong})
        assert await store.all() == []

    async def test_an_update_replaces_every_property(self, store: AppStore) -> None:
        await store.create(full_record("app"))
        await store.create(record("other"))
        assert await store.update(record(key="new-key", enabled=False))
        assert await store.find_by_id("app") == record(key="new-key", enabled=False)
        assert await store.find_by_key("new-key") == record(key="new-key", enabled=False)
        assert await store.find_by_key("full-key") is None
        assert await store.update(full_record("app"))
        assert await store.find_by_id("app") == full_record("app")
        assert await store.find_by_id("other") == record("other")

    async def test_an_update_that_changes_nothing_succeeds(self, store: AppStore) -> None:
        await store.create(record())
        assert await store.update(record())

    async def test_a_deleted_app_is_gone(self, store: AppStore) -> None:
        await store.create(record())
        await store.create(record("other"))
        assert await store.delete("app")
        assert await store.find_by_id("app") is None
        assert await store.find_by_key("app-key") is None
        assert await store.all() == [record("other")]
        assert not await store.delete("app")

    async def test_putting_an_app_creates_it_once_and_updates_differences(self, store: AppStore) -> None:
        assert await changes.put(store, full_record())
        assert not await changes.put(store, full_record())
        assert await changes.put(store, full_record() | {"enabled": False})
        assert await store.all() == [full_record() | {"enabled": False}]

    async def test_many_questions_at_once_are_answered(self, store: AppStore) -> None:
        await store.create(record())
        answers = await asyncio.gather(*(store.find_by_key("app-key") for _ in range(100)))
        assert answers == [record()] * 100

    async def test_closing_twice_does_no_harm(self, store: AppStore) -> None:
        await store.aclose()
        await store.aclose()


class SchemaContract:
    async def test_the_schema_is_made_once(self, new_store: MakeStore) -> None:
        store = new_store()
        await store.start()
        made = await store.migrate()
        assert made.done
        assert not made.missing
        again = await store.migrate()
        assert (again.done, again.missing) == ([], [])
        await store.create(full_record())
        await store.aclose()

    async def test_nodes_that_start_together_make_the_schema_together(self, new_store: MakeStore) -> None:
        stores = [new_store() for _ in range(3)]
        await asyncio.gather(*(store.start() for store in stores))
        for made in await asyncio.gather(*(store.migrate() for store in stores)):
            assert not made.missing
        await asyncio.gather(*(changes.put(store, full_record()) for store in stores))
        assert await stores[0].all() == [full_record()]
        for store in stores:
            await store.aclose()

    async def test_without_its_table_a_database_is_of_no_use(self, new_store: MakeStore) -> None:
        store = new_store()
        await store.start()
        with pytest.raises(DriverError):
            await store.find_by_id("app")
        with pytest.raises(DriverError):
            await store.has_any()
        await store.aclose()
