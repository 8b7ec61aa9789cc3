from __future__ import annotations

import json

import pytest

from tests.fakes.node import APP_ID, World, make_app
from tests.servers.cluster import Group


@pytest.fixture
def group() -> Group:
    """Two nodes; user 1 is on both, 2 on the first, 3 on the second."""
    group = Group(2, enable_user_authentication=True)
    first, second = group.members
    for member, users in ((first, ("1", "2")), (second, ("1", "3"))):
        for user_id in users:
            client = member.connect()
            client.sign_in(user_id)
            client.subscribe("presence-x", user_id, {"name": user_id})
    first.connect().subscribe("here")
    second.connect().subscribe("there")
    group.settle()
    return group


def test_every_node_sees_all_connections_channels_and_subscribers(group: Group) -> None:
    for member in group.members:
        view = member.node.view
        assert view.connection_count(APP_ID) == 6
        assert sorted(view.channel_names(APP_ID)) == ["here", "presence-x", "there"]
        assert [view.subscription_count(APP_ID, name) for name in ("here", "there", "presence-x", "none")] == [
            1,
            1,
            4,
            0,
        ]
        assert [view.is_occupied(APP_ID, name) for name in ("here", "there", "none")] == [True, True, False]


def test_a_user_on_two_nodes_is_one_member(group: Group) -> None:
    for member in group.members:
        view = member.node.view
        assert sorted(view.members(APP_ID, "presence-x")) == ["1", "2", "3"]
        assert view.member_count(APP_ID, "presence-x") == 3
        assert [view.has_member(APP_ID, "presence-x", user_id) for user_id in "1234"] == [True, True, True, False]
        assert [view.is_online(APP_ID, user_id) for user_id in "1234"] == [True, True, True, False]


def test_a_newcomer_is_given_the_roster_of_all_nodes(group: Group) -> None:
    for member in group.members:
        presence = json.loads(json.loads(b'"%b"' % member.node.view.roster(APP_ID, "presence-x")))["presence"]
        assert presence["count"] == 3
        assert sorted(presence["ids"]) == ["1", "2", "3"]
        assert presence["hash"] == {user_id: {"name": user_id} for user_id in "123"}


def test_a_member_on_two_nodes_stays_until_both_are_left(group: Group) -> None:
    first, second = group.members
    for connection in list(first.hub.user_connections(APP_ID, "1")):
        first.node.disconnect(connection)
    group.settle()
    for member in group.members:
        assert member.node.view.has_member(APP_ID, "presence-x", "1")
        assert member.node.view.is_online(APP_ID, "1")
    for connection in list(second.hub.user_connections(APP_ID, "1")):
        second.node.disconnect(connection)
    group.settle()
    for member in group.members:
        assert not member.node.view.has_member(APP_ID, "presence-x", "1")
        assert not member.node.view.is_online(APP_ID, "1")


def test_a_channel_that_only_others_have_is_seen_whole() -> None:
    group = Group(2)
    first, second = group.members
    first.connect().subscribe("presence-x", "1")
    group.settle()
    assert second.hub.channel(APP_ID, "presence-x") is None
    assert list(second.node.view.members(APP_ID, "presence-x")) == ["1"]
    assert second.node.view.member_count(APP_ID, "presence-x") == 1
    assert b'\\"count\\":1' in second.node.view.roster(APP_ID, "presence-x")


def test_where_there_is_nothing_everything_is_empty() -> None:
    view = World(make_app()).node.view
    assert view.connection_count("none") == view.subscription_count("none", "x") == view.member_count("none", "x") == 0
    assert list(view.channel_names("none")) == list(view.members("none", "x")) == []
    assert b'\\"count\\":0' in view.roster("none", "x")


def test_the_limit_of_members_is_that_of_the_whole_cluster() -> None:
    group = Group(2, max_presence_members=1)
    first, second = group.members
    first.connect().subscribe("presence-x", "1")
    group.settle()
    client = second.connect()
    assert client.subscribe("presence-x", "2")[0]["data"]["status"] == 4004
    assert client.subscribe("presence-x", "1")[0]["event"] == "pusher_internal:subscription_succeeded"
