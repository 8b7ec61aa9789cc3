"""What is remembered of apps, for how long, and how much of it."""

from __future__ import annotations

import pytest

from sockudo.apps import shelf
from sockudo.apps.shelf import Shelf
from tests.fakes.node import make_app

APP = make_app(id="app", key="key")


def test_an_app_is_found_by_id_and_key() -> None:
    remembered = Shelf(300)
    remembered.put(APP, 1000)
    entry = remembered.find("app")
    assert entry is not None
    assert (entry.app, entry.refresh_at, entry.expires_at) == (APP, 1225, 1300)
    assert (remembered.id_of("key"), remembered.id_of("app"), remembered.find("key")) == ("app", None, None)


def test_without_a_time_to_live_an_app_is_only_remembered() -> None:
    remembered = Shelf(0)
    remembered.put(APP, 1000)
    entry = remembered.find("app")
    assert entry is not None
    assert (entry.refresh_at, entry.expires_at) == (1001, 1000)
    remembered.put_absent(("key", "nobody"), 1000)
    assert not remembered.is_absent(("key", "nobody"), 1000)


def test_a_new_key_takes_the_place_of_the_old_one() -> None:
    remembered = Shelf(300)
    remembered.put(APP, 0)
    rotated = make_app(id="app", key="new")
    remembered.put(rotated, 1)
    assert (remembered.id_of("key"), remembered.id_of("new")) == (None, "app")


def test_a_key_that_another_app_has_got_stays_with_it() -> None:
    remembered = Shelf(300)
    remembered.put(APP, 0)
    remembered.put(make_app(id="heir", key="key"), 1)
    assert remembered.id_of("key") == "heir"
    remembered.put(make_app(id="app", key="new"), 2)
    assert remembered.id_of("key") == "heir"
    remembered.remove("app")
    assert (remembered.id_of("key"), remembered.id_of("new")) == ("heir", None)


def test_that_there_is_no_app_is_remembered_for_a_moment() -> None:
    remembered = Shelf(300)
    remembered.put(APP, 0)
    remembered.put_absent(("id", "app"), 10)
    assert remembered.find("app") is None
    assert remembered.id_of("key") is None
    assert remembered.is_absent(("id", "app"), 10 + shelf.ABSENT_TTL - 0.1)
    assert not remembered.is_absent(("key", "app"), 10)
    assert not remembered.is_absent(("id", "app"), 10 + shelf.ABSENT_TTL)
    remembered.put_absent(("id", "app"), 100)
    remembered.put_absent(("key", "key"), 100)
    remembered.put(APP, 101)
    assert not remembered.is_absent(("id", "app"), 101)
    assert not remembered.is_absent(("key", "key"), 101)


def test_an_expired_app_is_remembered_and_no_name_is_absent() -> None:
    remembered = Shelf(300)
    remembered.put(APP, 0)
    remembered.put_absent(("key", "new"), 0)
    remembered.expire("app")
    entry = remembered.find("app")
    assert entry is not None
    assert entry.expires_at == 0
    assert not remembered.is_absent(("key", "new"), 0)
    remembered.expire("nobody")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MAX_APPS", 3)
    monkeypatch.setattr(shelf, "MAX_ABSENT", 3)
    remembered = Shelf(300)
    for number in range(4):
        remembered.put(make_app(id=str(number), key=f"k{number}"), number)
        remembered.put_absent(("key", f"n{number}"), 0)
        # Asked for again, so not the next to go.
        remembered.put(make_app(id="0", key="k0"), number)
        remembered.put_absent(("key", "n0"), 0)
    assert [remembered.find(str(number)) is not None for number in range(4)] == [True, False, True, True]
    assert [remembered.id_of(f"k{number}") for number in range(4)] == ["0", None, "2", "3"]
    assert [remembered.is_absent(("key", f"n{number}"), 1) for number in range(4)] == [True, False, True, True]
