from __future__ import annotations

from sockudo.cluster.messages.topics import EVERYONE, channel_topic, node_topic


def test_no_two_purposes_share_a_topic() -> None:
    topics = {EVERYONE, node_topic("a"), node_topic("b"), channel_topic("a", "b"), channel_topic("b", "a")}
    assert len(topics) == 5


def test_apps_with_slashes_in_their_names_share_no_topic() -> None:
    assert channel_topic("a/b", "c") != channel_topic("a", "c")
    assert channel_topic("a", "b") == "c:a/b"
