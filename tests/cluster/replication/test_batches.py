"""What is told of channels and users, in parts of a bounded size."""

from __future__ import annotations

from sockudo.cluster.messages.state import PART_BYTES, AppState, ChannelState
from sockudo.cluster.replication.batches import Batches


def batches() -> Batches:
    return Batches({"a": 1, "b": 2}.__getitem__)


def test_nothing_is_one_empty_part() -> None:
    assert batches().parts() == [{}]


def test_what_is_little_is_one_part_with_all_apps() -> None:
    made = batches()
    made.app("a")
    made.channel("b", "news", 3, ())
    made.channel("b", "presence-x", 4, [("1", b"{}"), ("2", None)])
    made.user("b", "in", online=True)
    made.user("b", "out", online=False)
    channels = {"news": ChannelState(3, {}, []), "presence-x": ChannelState(4, {"1": b"{}"}, ["2"])}
    assert made.parts() == [{"a": AppState(1, {}, [], []), "b": AppState(2, channels, ["in"], ["out"])}]


def test_every_part_says_how_many_connections_its_apps_have() -> None:
    made = batches()
    for number in range(4):
        made.channel("ab"[number % 2], f"presence-{number}", 1, [("1", b"x" * PART_BYTES)])
    assert [{app_id: state.connections for app_id, state in part.items()} for part in made.parts()] == [
        {"a": 1},
        {"b": 2},
        {"a": 1},
        {"b": 2},
    ]


def test_a_channel_may_be_in_several_parts_once_each() -> None:
    made = batches()
    members: list[tuple[str, bytes | None]] = [(str(number), b"x" * 1000) for number in range(500)]
    made.channel("a", "presence-x", 7, members)
    states = [part["a"].channels["presence-x"] for part in made.parts()]
    assert len(states) == 7
    assert {state.count for state in states} == {7}
    assert [member for state in states for member in state.joined.items()] == members
    assert max(sum(map(len, state.joined.values())) for state in states) < PART_BYTES * 1.2
