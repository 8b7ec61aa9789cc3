from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.pusher.channels import (
    PUBLIC,
    ChannelKind,
    InvalidChannelName,
    kind_of,
    parse_channel,
    server_to_user,
)
from tests.support.properties import THOROUGH

ALPHABET = string.ascii_letters + string.digits + "-_=@,.;:#"
PREFIXES = [
    "",
    "cache-",
    "private-",
    "private-cache-",
    "private-encrypted-",
    "private-encrypted-cache-",
    "presence-",
    "presence-cache-",
    "#server-to-user-",
]
names = st.builds("".join, st.tuples(st.sampled_from(PREFIXES), st.text(ALPHABET, min_size=1, max_size=40)))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("news", ChannelKind()),
        ("cache-news", ChannelKind(cache=True, label="cache")),
        ("private-news", ChannelKind(private=True, label="private")),
        ("private-cache-news", ChannelKind(private=True, cache=True, label="private-cache")),
        ("private-encrypted-news", ChannelKind(private=True, encrypted=True, label="private-encrypted")),
        (
            "private-encrypted-cache-news",
            ChannelKind(private=True, encrypted=True, cache=True, label="private-encrypted-cache"),
        ),
        ("presence-news", ChannelKind(private=True, presence=True, label="presence")),
        ("presence-cache-news", ChannelKind(private=True, presence=True, cache=True, label="presence-cache")),
        ("#server-to-user-7", ChannelKind(user=True, label="server-to-user")),
    ],
)
def test_the_prefix_tells_the_kind(name: str, kind: ChannelKind) -> None:
    assert parse_channel(name) == kind


@pytest.mark.parametrize(
    "name",
    ["my-cache-1", "News-private-x", "Private-x", "PRIVATE-x", "presence", "private", "cache", "xcache-", "#private-x"],
)
def test_a_misplaced_or_misspelt_prefix_makes_a_public_channel(name: str) -> None:
    assert parse_channel(name) is PUBLIC


@pytest.mark.parametrize(
    "name", ["private-my-cache-1", "private-xcache-", "presence-my-cache-1", "private-encrypted-a-cache-b"]
)
def test_cache_inside_a_name_needs_its_signature_and_keeps_nothing(name: str) -> None:
    kind = parse_channel(name)
    assert kind.private
    assert not kind.cache


@THOROUGH
@given(names)
def test_the_flags_agree_with_a_naive_reading_of_the_prefixes(name: str) -> None:
    kind = parse_channel(name)
    presence = name.startswith("presence-")
    assert kind.private == (presence or name.startswith("private-"))
    assert kind.presence == presence
    assert kind.encrypted == name.startswith("private-encrypted-")
    assert kind.cache == any(
        name.startswith(before + "cache-") for before in ("", "private-", "private-encrypted-", "presence-")
    )
    assert kind.user == name.startswith("#server-to-user-")
    assert kind == kind_of(name)


@THOROUGH
@given(st.text(ALPHABET, min_size=1, max_size=200))
def test_every_name_of_the_alphabet_is_accepted(name: str) -> None:
    assert parse_channel(name) == kind_of(name)


@THOROUGH
@given(st.text(ALPHABET, max_size=20), st.characters(exclude_characters=ALPHABET), st.text(ALPHABET, max_size=20))
def test_every_other_character_is_refused_wherever_it_is(before: str, other: str, after: str) -> None:
    with pytest.raises(InvalidChannelName, match="contains invalid characters"):
        parse_channel(before + other + after)


def test_a_line_break_at_the_end_is_refused() -> None:
    with pytest.raises(InvalidChannelName):
        parse_channel("news\n")


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InvalidChannelName, match="empty"):
        parse_channel("")


def test_a_name_may_reach_but_not_exceed_the_limit() -> None:
    assert parse_channel("x" * 200) is PUBLIC
    assert parse_channel("x" * 5, 5) is PUBLIC
    with pytest.raises(InvalidChannelName, match=r"201 characters, the limit is 200 \(max_channel_name_length"):
        parse_channel("x" * 201)
    with pytest.raises(InvalidChannelName, match="too long: 6 characters, the limit is 5"):
        parse_channel("x" * 6, 5)


def test_the_refusal_of_a_name_does_not_repeat_it() -> None:
    with pytest.raises(InvalidChannelName) as refused:
        parse_channel("naughty<script>")
    assert "naughty" not in str(refused.value)


def test_every_name_has_a_kind_valid_or_not() -> None:
    assert kind_of("private-ü").private
    assert kind_of("") is PUBLIC


def test_the_channel_of_a_user_carries_the_user_id() -> None:
    assert server_to_user("7") == "#server-to-user-7"
    assert parse_channel(server_to_user("7")).user
