from __future__ import annotations

from sockudo.hub.connection import Connection
from sockudo.hub.outbox import Flusher
from sockudo.hub.users import Users
from tests.fakes.clock import FakeClock
from tests.fakes.node import make_app
from tests.fakes.wire import RecordingWire

FLUSHER = Flusher(FakeClock().call_soon)
FIRST, SECOND = (Connection(i, make_app(), RecordingWire(), FLUSHER, now=0, version=7) for i in ("1.1", "1.2"))


def test_a_user_is_online_from_first_connection_to_last() -> None:
    users = Users()
    assert users.add("1", FIRST)
    assert not users.add("1", SECOND)
    assert "1" in users
    assert not users.remove("1", FIRST)
    assert "1" in users
    assert users.remove("1", SECOND)
    assert "1" not in users


def test_connections_of_a_user_are_listed_in_order() -> None:
    users = Users()
    users.add("1", SECOND)
    users.add("1", FIRST)
    users.add("2", FIRST)
    assert list(users.connections("1")) == [SECOND, FIRST]
    assert not users.connections("3")


def test_removing_a_connection_that_is_not_there_does_nothing() -> None:
    users = Users()
    assert not users.remove("1", FIRST)
    users.add("1", FIRST)
    assert not users.remove("1", SECOND)
    assert not users.remove("2", FIRST)
    assert list(users.connections("1")) == [FIRST]


def test_adding_a_connection_again_counts_it_once() -> None:
    users = Users()
    users.add("1", FIRST)
    users.add("1", FIRST)
    assert users.remove("1", FIRST)
