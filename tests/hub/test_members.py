from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sockudo.hub.members import Members
from sockudo.pusher.events import presence_succeeded
from sockudo.pusher.members import Identity
from tests.support.properties import THOROUGH, json_values, texts


def presence(members: Members) -> Any:
    """Return what a newcomer is told."""
    return json.loads(json.loads(presence_succeeded("presence-x", members.roster()))["data"])["presence"]


def test_a_user_comes_and_goes_with_first_and_last_connection() -> None:
    members = Members()
    assert members.join(Identity("1"))
    assert not members.join(Identity("1"))
    assert len(members) == 1
    assert not members.leave("1")
    assert "1" in members
    assert members.leave("1")
    assert "1" not in members
    assert len(members) == 0


def test_a_newcomer_is_told_each_user_once_in_order() -> None:
    members = Members()
    for user_id in ("b", "a", "b"):
        members.join(Identity(user_id, b'{"name":"%b"}' % user_id.encode()))
    assert list(members) == ["b", "a"]
    assert presence(members) == {"count": 2, "ids": ["b", "a"], "hash": {"b": {"name": "b"}, "a": {"name": "a"}}}


def test_a_users_info_is_that_of_the_first_connection() -> None:
    members = Members()
    members.join(Identity("1", b'{"from":"first"}'))
    members.join(Identity("1", b'{"from":"second"}'))
    members.leave("1")
    assert presence(members)["hash"] == {"1": {"from": "first"}}


def test_a_user_who_comes_back_is_told_of_anew() -> None:
    members = Members()
    members.join(Identity("1", b"1"))
    members.roster()
    members.leave("1")
    assert presence(members) == {"count": 0, "ids": [], "hash": {}}
    members.join(Identity("1", b"2"))
    assert presence(members) == {"count": 1, "ids": ["1"], "hash": {"1": 2}}


def test_the_roster_is_made_once_between_two_changes() -> None:
    members = Members()
    members.join(Identity("1"))
    first = members.roster()
    members.join(Identity("1"))
    members.leave("1")
    assert members.roster() is first


@THOROUGH
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), json_values), max_size=40), st.lists(texts, min_size=4))
def test_counts_and_rosters_agree_with_a_list_of_connections(
    steps: list[tuple[bool, int, object]], names: list[str]
) -> None:
    members, model = Members(), list[tuple[str, object]]()
    for joins, index, info in steps:
        user_id = names[index]
        here = [known for known, _ in model].count(user_id)
        if joins:
            assert members.join(Identity(user_id, json.dumps(info).encode())) is (here == 0)
            model.append((user_id, next((old for known, old in model if known == user_id), info)))
        elif here:
            assert members.leave(user_id) is (here == 1)
            model.remove(next(entry for entry in model if entry[0] == user_id))
        hash_ = dict(model)
        assert len(members) == len(hash_)
        assert all(user_id in members for user_id in hash_)
        told = presence(members)
        assert (told["count"], sorted(told["ids"]), told["hash"]) == (len(hash_), sorted(hash_), hash_)
