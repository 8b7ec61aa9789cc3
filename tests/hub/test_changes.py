from __future__ import annotations

from sockudo.hub.changes import Joined, Left, Offline
from sockudo.hub.channel import Channel
from sockudo.pusher.channels import kind_of


def test_changes_are_values_that_compare_by_what_they_say() -> None:
    channel = Channel("news", kind_of("news"))
    assert Joined(channel, first_here=True, member_added=None) == (channel, True, None)
    left: Left = Left(channel, last_here=False, member_removed="1")
    assert tuple(left) == (channel, False, "1")
    assert Offline("7") == ("7",)
