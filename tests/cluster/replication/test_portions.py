from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sockudo.cluster.messages.state import AppState, ChannelState
from sockudo.cluster.replication.portions import PORTION, portions
from sockudo.cluster.replication.replica import Replica
from tests.support.properties import QUICK

names = st.integers(0, 200).map(str)
channels = st.builds(
    lambda count, joined, left: ChannelState(count, dict.fromkeys(joined, b"{}"), sorted(left - joined)),
    st.integers(0, 3),
    st.sets(names, max_size=70),
    st.sets(names, max_size=70),
)
states = st.builds(
    lambda channels, online, offline: AppState(1, channels, sorted(online), sorted(offline - online), 3, 4),
    st.dictionaries(st.sampled_from(["presence-x", "presence-y", "z"]), channels),
    st.sets(names, max_size=70),
    st.sets(names, max_size=70),
)


def size_of(apps: dict[str, AppState]) -> int:
    return sum(
        len(state.online)
        + len(state.offline)
        + sum(1 + len(channel.joined) + len(channel.left) for channel in state.channels.values())
        for state in apps.values()
    )


def picture(replica: Replica) -> object:
    return {
        app_id: (
            app.connections,
            app.online,
            {name: (channel.counts, channel.members) for name, channel in app.channels.items()},
        )
        for app_id, app in replica._apps.items()
    }


@QUICK
@given(st.lists(st.dictionaries(st.sampled_from(["one", "two"]), states), max_size=3))
def test_small_portions_in_order_come_to_the_whole(deltas: list[dict[str, AppState]]) -> None:
    whole, cut = Replica(), Replica()
    for delta in deltas:
        whole.apply("a", delta)
        for portion in portions(delta):
            assert size_of(portion) <= 2 * PORTION + 1
            cut.apply("a", portion)
        assert picture(cut) == picture(whole)


def test_what_was_let_through_is_in_one_portion() -> None:
    state = AppState(1, {f"c{number}": ChannelState(1) for number in range(3 * PORTION)}, [], [], 7, 8)
    found = [portion["app"] for portion in portions({"app": state})]
    assert len(found) > 2
    assert [(one.events, one.reads) for one in found] == [(7, 8), *[(0, 0)] * (len(found) - 1)]
