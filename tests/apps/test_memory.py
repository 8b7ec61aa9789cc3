from __future__ import annotations

from sockudo.apps.memory import MemoryAppManager
from tests.fakes.node import make_app

FIRST, SECOND = make_app(id="1", key="k1"), make_app(id="2", key="k2")


def test_apps_are_found_by_id_and_by_key() -> None:
    apps = MemoryAppManager([FIRST, SECOND])
    assert (apps.by_id("1"), apps.by_key("k1")) == (FIRST, FIRST)
    assert (apps.by_id("2"), apps.by_key("k2")) == (SECOND, SECOND)


def test_an_id_is_not_a_key_nor_the_reverse() -> None:
    apps = MemoryAppManager([FIRST])
    assert (apps.by_id("k1"), apps.by_key("1"), apps.by_id(""), apps.by_key("")) == (None, None, None, None)


def test_all_apps_are_listed_in_order() -> None:
    assert list(MemoryAppManager([FIRST, SECOND]).all()) == [FIRST, SECOND]
    assert not MemoryAppManager([]).all()


def test_of_apps_with_one_id_the_last_counts_everywhere() -> None:
    again = make_app(id="1", key="other")
    apps = MemoryAppManager([FIRST, again])
    assert (apps.by_id("1"), apps.by_key("other"), apps.by_key("k1")) == (again, again, None)
