from __future__ import annotations

import re

import pytest

from sockudo.apps.patterns import Pattern
from sockudo.apps.webhook import ChannelFilter, Function, Webhook, endpoints, is_of_type, is_wanted
from sockudo.pusher.channels import kind_of

OCCUPIED = frozenset({"channel_occupied"})


@pytest.mark.parametrize(
    ("channel", "types"),
    [
        ("news", {"public"}),
        ("private-a", {"private"}),
        ("presence-a", {"presence"}),
        ("private-encrypted-a", {"encrypted"}),
        ("cache-a", {"cache"}),
        ("private-cache-a", {"cache"}),
        ("presence-cache-a", {"presence", "cache"}),
        ("private-encrypted-cache-a", {"encrypted", "cache"}),
    ],
)
def test_each_channel_is_of_these_types(channel: str, types: set[str]) -> None:
    every = ("public", "private", "presence", "encrypted", "cache")
    assert {one for one in every if is_of_type(kind_of(channel), one)} == types


def test_every_condition_of_a_filter_must_hold() -> None:
    every = ChannelFilter("private", "private-a", "z", Pattern("[0-9]"))
    assert every.matches("private-a1z")
    for name in ("private-b1z", "private-a1", "private-az", "presence-a1z"):
        assert not every.matches(name)
    assert ChannelFilter().matches("anything")


def test_what_belongs_to_no_channel_passes_no_filter() -> None:
    types = frozenset({"connection_established"})
    assert Webhook("http://x/", types).wants("connection_established", None)
    assert not Webhook("http://x/", types, filter=ChannelFilter()).wants("connection_established", None)


def test_an_id_names_the_endpoint_and_nothing_else() -> None:
    one = Webhook("https://user:pass@x/", OCCUPIED)
    assert one.id == Webhook("https://user:pass@x/", frozenset({"cache_miss"}), headers={"A": "b"}).id
    assert one.id != Webhook("https://user:pass@y/", OCCUPIED).id
    function = Webhook(None, OCCUPIED, Function("f"))
    assert function.id == Webhook(None, OCCUPIED, Function("f")).id
    assert function.id != Webhook(None, OCCUPIED, Function("f", "eu-west-1")).id
    assert re.fullmatch("[0-9a-f]{16}", one.id)


def test_neither_the_url_nor_the_headers_are_shown() -> None:
    shown = repr(Webhook("https://x/s3cret", OCCUPIED, headers={"X-Token": "t0ken"}))
    assert "s3cret" not in shown
    assert "t0ken" not in shown


def test_an_event_goes_to_each_endpoint_once() -> None:
    first = Webhook("http://a/", OCCUPIED, filter=ChannelFilter(prefix="x"))
    second = Webhook("http://a/", OCCUPIED)
    other = Webhook("http://b/", OCCUPIED)
    hooks = (first, second, other)
    assert list(endpoints(hooks, "channel_occupied", "xy")) == [first, other]
    assert list(endpoints(hooks, "channel_occupied", "y")) == [second, other]
    assert list(endpoints(hooks, "channel_vacated", "y")) == []
    assert is_wanted(hooks, "channel_occupied", "y")
    assert not is_wanted(hooks, "cache_miss", "y")
    assert not is_wanted((), "channel_occupied", "y")
