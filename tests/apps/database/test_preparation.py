"""At the start the apps of the settings are put into the database."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from sockudo.apps.database.preparation import prepare
from sockudo.apps.database.store import Migration
from sockudo.errors import ConfigError, DriverError
from tests.contracts.app_store import record
from tests.fakes.app_store import FakeAppStore


async def test_apps_are_made_or_changed_and_others_stay() -> None:
    store = FakeAppStore(record("other"), record("changed", enabled=False), record("same"))
    with capture_logs() as lines:
        changed = await prepare(store, [record("new"), record("changed"), record("same")])
    assert store.records == {name: record(name) for name in ("other", "changed", "same", "new")}
    assert changed == ["new", "changed"]
    (line,) = lines
    assert (line["event"], line["apps"], line["changed"]) == ("apps registered", ["new", "changed", "same"], changed)


async def test_what_was_made_and_what_is_missing_is_told() -> None:
    store = FakeAppStore()
    store.to_make = Migration(["made the table"], ["webhooks"], "not allowed")
    with capture_logs() as lines:
        assert await prepare(store, []) == []
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("info", "database prepared"),
        ("warning", "database columns are missing and read as null"),
    ]
    assert (lines[1]["columns"], lines[1]["reason"]) == (["webhooks"], "not allowed")


async def test_a_key_of_another_app_is_a_settings_error() -> None:
    store = FakeAppStore(record("other", key="taken"))
    with pytest.raises(ConfigError, match=r"app_manager\.array\.apps: app new: .* the key taken already"):
        await prepare(store, [record("new", key="taken")])
    assert list(store.records) == ["other"]


async def test_a_value_unfit_for_the_database_is_a_settings_error() -> None:
    store = FakeAppStore()
    store.largest_count = 5
    with pytest.raises(ConfigError) as error:
        await prepare(store, [record("new", key="k" * 256, max_connections=6)])
    places = [problem.partition(": expected")[0] for problem in error.value.problems]
    assert places == [f"app_manager.array.apps: app new: {name}" for name in ("key", "max_connections")]
    assert not store.records


async def test_a_database_that_cannot_be_used_is_an_error() -> None:
    store = FakeAppStore()
    store.is_gone = True
    with pytest.raises(DriverError):
        await prepare(store, [record()])
