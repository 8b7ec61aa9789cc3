from __future__ import annotations

from sockudo.cluster.messages.topics import EVERYONE, channel_topic, node_topic


def test_no_two_purposes_share_a_topic() -> None:
    topics = {EVERYONE, node_topic("a"), node_topic("b"), channel_topic("a", "b"), channel_topic("b", "a")}
    assert len(topics) == 5


def test_an_app_whose_name_has_a_slash_does_not_share_a_topic_with_another() -> None:
    assert channel_topic("a/b", "c") != channel_topic("a", "c")
    assert channel_topic("a", "b") == "c:a/b"
