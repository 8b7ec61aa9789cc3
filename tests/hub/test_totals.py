from __future__ import annotations

from sockudo.hub.broadcast import Broadcast
from sockudo.hub.connection import Connection
from sockudo.hub.hub import Hub
from sockudo.hub.outbox import Flusher
from sockudo.hub.totals import AppTotals, Totals
from sockudo.pusher.channels import kind_of
from sockudo.pusher.members import Identity
from sockudo.websocket.frames import text_frame
from tests.fakes.clock import FakeClock
from tests.fakes.node import make_app
from tests.fakes.wire import RecordingWire

APP = make_app()
FRAME = text_frame(b'{"event":"a"}')


def connected(hub: Hub, *socket_ids: str) -> list[Connection]:
    made = [Connection(one, APP, RecordingWire(), hub.flusher, now=0, version=7) for one in socket_ids]
    for connection in made:
        hub.add(connection)
    return made


def test_the_totals_of_an_app_begin_with_its_first_use() -> None:
    totals = Totals()
    assert isinstance(totals["1"], AppTotals)
    assert totals["1"] is totals["1"]


def test_a_broadcast_counts_each_recipient_and_its_bytes() -> None:
    hub = Hub(Flusher(FakeClock().call_soon))
    for connection in connected(hub, "1.1", "1.2", "1.3"):
        hub.subscribe(connection, "news", kind_of("news"))
    assert hub.deliver(APP.id, "news", Broadcast(FRAME)) == 3
    assert hub.deliver(APP.id, "news", Broadcast(FRAME), "1.2") == 2
    assert hub.deliver(APP.id, "news", Broadcast(FRAME), "9.9") == 3
    totals = hub.totals[APP.id]
    assert (totals.messages_sent, totals.bytes_sent) == (8, 8 * len(FRAME))


def test_a_frame_for_one_connection_is_counted() -> None:
    hub = Hub(Flusher(FakeClock().call_soon))
    (connection,) = connected(hub, "1.1")
    connection.send(FRAME)
    hub.sign_in(connection, _user("u"))
    hub.deliver_to_user(APP.id, "u", Broadcast(FRAME))
    assert hub.totals[APP.id].messages_sent == 2


def test_subscriptions_and_channels_are_counted_by_kind() -> None:
    hub = Hub(Flusher(FakeClock().call_soon))
    first, second = connected(hub, "1.1", "1.2")
    for connection in (first, second, first):
        hub.subscribe(connection, "private-x", kind_of("private-x"))
    totals = hub.totals[APP.id]
    assert (totals.subscriptions, totals.channels) == ({"private": 2}, {"private": 1})
    hub.unsubscribe(first, "private-x")
    list(hub.remove(second))
    list(hub.remove(second))
    assert (totals.unsubscriptions, totals.channels) == ({"private": 2}, {"private": 0})
    assert (totals.connections, totals.disconnections) == (2, 1)


def _user(user_id: str) -> Identity:
    return Identity(user_id, b"{}")


def test_totals_outlive_the_last_connection() -> None:
    hub = Hub(Flusher(FakeClock().call_soon))
    list(hub.remove(connected(hub, "1.1")[0]))
    connected(hub, "1.2")
    assert hub.totals[APP.id].connections == 2
