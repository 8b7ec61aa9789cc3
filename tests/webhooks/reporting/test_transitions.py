"""What one receiver is told by the nodes of a cluster."""

from __future__ import annotations

import pytest

from sockudo.apps.webhook import ChannelFilter, Webhook
from sockudo.cluster.messages import envelope
from sockudo.webhooks.reporting.app_lookup import ASKED
from tests.fakes.node import APP_ID
from tests.fakes.reporting import HOLD
from tests.fakes.reporting_cluster import ReportingCluster

ROOM = "presence-x"


@pytest.fixture(params=[1, 3], ids=["one node", "three nodes"])
def cluster(request: pytest.FixtureRequest) -> ReportingCluster:
    return ReportingCluster(request.param)


def test_newcomers_are_told_at_once_and_departures_later(cluster: ReportingCluster) -> None:
    client = cluster.join(cluster.nodes[0], "news")
    cluster.wait(0.2)
    assert cluster.receiver.names() == ["channel_occupied news"]
    client.leave()
    cluster.wait(HOLD - 0.2)
    assert cluster.receiver.names() == []
    cluster.wait(0.5)
    assert cluster.receiver.names() == ["channel_vacated news"]
    assert cluster.waiting == 0


def test_occupied_comes_before_members_and_vacated_after_them(
    cluster: ReportingCluster,
) -> None:
    clients = [cluster.join(node, ROOM, "1") for node in cluster.nodes]
    cluster.wait(0.5)
    assert cluster.receiver.names() == [f"channel_occupied {ROOM}", f"member_added {ROOM} 1"]
    clients.append(cluster.join(cluster.nodes[-1], ROOM, "2"))
    cluster.wait(0.5)
    assert cluster.receiver.names() == [f"member_added {ROOM} 2"]
    for client in clients:
        client.leave()
        cluster.wait(0.5)
    cluster.wait(HOLD)
    assert cluster.receiver.names() == [
        f"member_removed {ROOM} 1",
        f"member_removed {ROOM} 2",
        f"channel_vacated {ROOM}",
    ]
    assert cluster.waiting == 0


def test_of_who_comes_back_in_time_nothing_is_told(cluster: ReportingCluster) -> None:
    client = cluster.join(cluster.nodes[0], ROOM, "1")
    cluster.wait(0.5)
    cluster.receiver.names()
    for _ in range(5):
        client.leave()
        cluster.wait(HOLD - 0.5)
        client = cluster.join(cluster.nodes[-1], ROOM, "1")
        cluster.wait(0.5)
    assert cluster.receiver.names() == []
    assert cluster.waiting == 0


def test_everything_is_told_at_once_in_turn_without_a_hold() -> None:
    cluster = ReportingCluster(hold=0)
    for _ in range(3):
        cluster.join(cluster.nodes[0], "news").leave()
    cluster.wait(1.0)
    told = cluster.receiver.names()
    assert told == ["channel_occupied news", "channel_vacated news"] * (len(told) // 2)
    assert told
    assert cluster.waiting == 0


def test_only_the_owner_tells() -> None:
    cluster = ReportingCluster(3)
    names = [f"news-{number}" for number in range(30)]
    owners = {name: cluster.owner(name).node_id[:4] for name in names}
    assert len(set(owners.values())) == 3
    for number, name in enumerate(names):
        cluster.join(cluster.nodes[number % 3], name)
    cluster.wait(0.5)
    assert {name: told for (name, _), told in cluster.receiver.told.items()} == {
        name: [(True, owner)] for name, owner in owners.items()
    }


def test_the_next_owner_tells_what_a_dead_one_did_not() -> None:
    cluster = ReportingCluster(3)
    owner, other = cluster.owner("news"), cluster.other("news")
    client = cluster.join(other, "news")
    cluster.wait(0.5)
    client.leave()
    cluster.wait(HOLD - 1)
    owner.die()
    cluster.nodes.remove(owner)
    cluster.wait(40)
    assert cluster.receiver.names() == ["channel_occupied news", "channel_vacated news"]
    assert cluster.waiting == 0


def test_what_a_dead_node_had_is_told_to_be_gone() -> None:
    cluster = ReportingCluster(3)
    node = cluster.nodes[1]
    cluster.join(node, ROOM, "1")
    cluster.wait(0.5)
    node.die()
    cluster.nodes.remove(node)
    cluster.wait(40)
    assert cluster.receiver.names()[2:] == [f"member_removed {ROOM} 1", f"channel_vacated {ROOM}"]
    assert cluster.waiting == 0


def test_a_new_node_tells_nothing_of_what_was_there() -> None:
    cluster = ReportingCluster(2)
    names = [f"news-{number}" for number in range(30)]
    for name in names:
        cluster.join(cluster.nodes[0], name)
    cluster.wait(0.5)
    assert len(cluster.receiver.names()) == 30
    new = cluster.add()
    assert any(new.cluster.is_owner(APP_ID, name) for name in names)
    cluster.wait(10)
    assert cluster.receiver.names() == []
    assert cluster.waiting == 0


def test_a_new_owner_tells_what_is_still_held() -> None:
    cluster = ReportingCluster(2)
    clients = [cluster.join(cluster.nodes[0], f"news-{number}") for number in range(30)]
    cluster.wait(0.5)
    for client in clients:
        client.leave()
    cluster.wait(0.5)
    new = cluster.add()
    cluster.wait(HOLD + 5)
    assert cluster.receiver.believes() == set()
    assert cluster.receiver.repeats() == []
    assert any(told[-1][1] == new.node_id[:4] for told in cluster.receiver.told.values())
    assert cluster.waiting == 0


def test_a_node_that_is_cut_off_tells_nothing() -> None:
    cluster = ReportingCluster(3)
    clients = [cluster.join(cluster.nodes[number % 3], f"news-{number}") for number in range(30)]
    cluster.wait(0.5)
    node = cluster.nodes[1]
    node.adapter.cut()
    cluster.wait(1.0)
    # What is new meanwhile, and what is gone, among the others and here.
    for number in range(4):
        cluster.join(cluster.nodes[0], f"new-{number}")
        cluster.join(node, f"own-{number}")
    for client in clients[:9]:
        client.leave()
    before = {key: len(told) for key, told in cluster.receiver.told.items()}
    cluster.wait(120)
    since = [one for key, told in cluster.receiver.told.items() for one in told[before.get(key, 0) :]]
    assert since
    assert all(name != node.node_id[:4] for _, name in since)
    node.adapter.mend()
    cluster.wait(20)
    assert cluster.receiver.repeats() == []
    expected = {f"news-{number}" for number in range(9, 30)}
    expected |= {f"{kind}-{number}" for kind in ("new", "own") for number in range(4)}
    assert {name for name, _ in cluster.receiver.believes()} == expected
    assert cluster.waiting == 0


def test_a_bus_lost_by_all_leaves_everybody_with_the_truth() -> None:
    cluster = ReportingCluster(3)
    clients = [cluster.join(cluster.nodes[number % 3], f"news-{number}") for number in range(12)]
    cluster.wait(0.5)
    assert len(cluster.receiver.names()) == 12
    for node in cluster.nodes:
        node.adapter.cut()
    for client in clients[:6]:
        client.leave()
    for number in range(6):
        cluster.join(cluster.nodes[number % 3], f"new-{number}")
    cluster.wait(60)
    assert cluster.receiver.names() == []
    for node in cluster.nodes:
        node.adapter.mend()
    cluster.wait(20)
    assert cluster.receiver.repeats() == []
    expected = {f"news-{number}" for number in range(6, 12)} | {f"new-{number}" for number in range(6)}
    assert {name for name, _ in cluster.receiver.believes()} == expected
    assert cluster.waiting == 0


def test_a_node_learns_by_asking_what_it_missed() -> None:
    cluster = ReportingCluster(3)
    other = cluster.other("news")
    cluster.join(cluster.owner("news"), "news")
    for _ in range(5):
        cluster.clock.advance(0.05)
        cluster.bus.lose(lambda parcel: parcel.kind == envelope.REPORTS)
        cluster.bus.deliver_all()
    assert other.transitions.waiting == 1
    cluster.wait(5)
    assert cluster.waiting == 0
    assert cluster.receiver.names() == ["channel_occupied news"]


def test_events_that_the_queue_refuses_are_told_when_accepted(cluster: ReportingCluster) -> None:
    cluster.receiver.takes = False
    clients = [cluster.join(cluster.nodes[0], ROOM, str(number)) for number in range(3)]
    cluster.wait(3)
    clients.pop().leave()
    cluster.wait(2)
    assert cluster.receiver.names() == []
    cluster.receiver.takes = True
    cluster.wait(6)
    expected = [f"channel_occupied {ROOM}", f"member_added {ROOM} 0", f"member_added {ROOM} 1"]
    assert cluster.receiver.names() == expected
    assert cluster.waiting == 0


def test_nothing_is_kept_where_nobody_wants_to_know() -> None:
    cluster = ReportingCluster(3, webhook=Webhook("http://x/", frozenset({"client_event"})))
    clients = [cluster.join(node, ROOM, "1") for node in cluster.nodes]
    assert cluster.waiting == 0
    clients[0].leave()
    cluster.wait(1)
    assert cluster.waiting == 0


def test_nothing_is_kept_of_channels_that_a_filter_leaves_out() -> None:
    webhook = Webhook("http://x/", frozenset({"channel_occupied"}), filter=ChannelFilter(prefix="a"))
    cluster = ReportingCluster(webhook=webhook)
    cluster.join(cluster.nodes[0], "news")
    assert cluster.waiting == 0
    cluster.join(cluster.nodes[0], "a")
    cluster.wait(0.2)
    assert cluster.receiver.names() == ["channel_occupied a"]


def test_a_receiver_of_one_of_two_events_gets_it() -> None:
    cluster = ReportingCluster(3, webhook=Webhook("http://x/", frozenset({"channel_vacated"})))
    client = cluster.join(cluster.nodes[0], "news")
    cluster.wait(0.5)
    client.leave()
    cluster.wait(1)
    client = cluster.join(cluster.nodes[1], "news")
    cluster.wait(5)
    assert cluster.receiver.names() == []
    client.leave()
    cluster.wait(5)
    assert cluster.receiver.names() == ["channel_vacated news"]
    assert cluster.waiting == 0


def test_the_last_node_tells_what_is_held_before_it_leaves() -> None:
    cluster = ReportingCluster()
    client = cluster.join(cluster.nodes[0], "news")
    cluster.wait(0.5)
    client.leave()
    cluster.nodes[0].transitions.release()
    cluster.wait(0.2)
    assert cluster.receiver.names() == ["channel_occupied news", "channel_vacated news"]


def test_changes_of_an_unknown_app_are_told_once_known() -> None:
    cluster = ReportingCluster(3)
    for node in cluster.nodes:
        node.reporting.app = ASKED
    names = [f"presence-{number}" for number in range(9)]
    clients = [cluster.join(cluster.nodes[0], name, "1") for name in names]
    back = cluster.join(cluster.nodes[0], "news")
    back.leave()
    cluster.wait(5)
    assert cluster.receiver.names() == []
    for node in cluster.nodes:
        node.reporting.know()
    cluster.wait(0.5)
    assert set(cluster.receiver.told) == {(name, user) for name in names for user in (None, "1")}
    order = cluster.receiver.order
    for name in names:
        assert [told for told, channel, _ in order if channel == name] == ["channel_occupied", "member_added"]
    for client in clients:
        client.leave()
    cluster.wait(HOLD + 1)
    assert cluster.receiver.believes() == set()
    assert cluster.receiver.repeats() == []
    assert cluster.waiting == 0
