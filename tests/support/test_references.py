from __future__ import annotations

from tests.support.references import holders


def test_what_holds_an_object_is_found_until_it_lets_go() -> None:
    thing: list[object] = []
    table = {"thing": thing}
    assert holders(thing) == [table]
    table.clear()
    assert holders(thing) == []
