"""A socket from its acceptance to its first read: what it counts as, how long it may be silent, what it turns into."""

from __future__ import annotations

import pytest

from sockudo.server.accepted_socket import AcceptedSocket
from sockudo.server.http.protocol import HttpProtocol
from tests.fakes.stack import Stack, upgrade
from tests.fakes.transport import FakeTransport

PROBE = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"


def protocols(stack: Stack) -> list[object]:
    """Return the protocols of the sockets that are HTTP, or nothing yet."""
    return [*stack.front.http_connections]


def seconds_until_ended(stack: Stack, transport: FakeTransport, most: int = 60) -> int:
    """Return how many seconds pass until the server ends its side of a socket."""
    for second in range(most):
        stack.clock.run_soon()
        if transport.is_lost or transport.has_eof:
            return second
        stack.clock.advance(1)
    raise AssertionError("the socket stays")


def test_one_protocol_serves_a_client_from_its_acceptance_on() -> None:
    stack = Stack()
    transport = stack.socket()
    accepted = transport.get_protocol()
    transport.feed(upgrade())
    assert transport.get_protocol() is accepted
    assert stack.front.websockets.sockets == {accepted}
    assert stack.front.http_connections == set()
    assert not stack.front.timeouts.young


def test_a_socket_that_asks_for_anything_else_speaks_http() -> None:
    stack = Stack()
    transport = stack.socket()
    transport.feed(PROBE)
    protocol = transport.get_protocol()
    assert type(protocol) is HttpProtocol
    assert protocols(stack) == [protocol]
    assert transport.read().startswith(b"HTTP/1.1 200 ")


def test_a_silent_socket_counts_and_ends_with_its_time() -> None:
    stack = Stack()
    transport = stack.socket()
    assert stack.front.open_count == 1
    assert protocols(stack) == [transport.get_protocol()]
    assert seconds_until_ended(stack, transport) in (11, 12)
    assert transport.read() == b""
    assert stack.front.open_count == 0
    assert not stack.front.timeouts.young
    assert len(stack.front.timeouts._deadlines) == 0


def test_a_silent_socket_that_does_not_close_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack()
    transport = stack.socket()
    # As TLS, which waits for the peer's part of the end.
    monkeypatch.setattr(transport, "close", lambda: None)
    assert seconds_until_ended(stack, transport) in (22, 23, 24)
    assert transport.was_aborted
    assert stack.front.open_count == 0


@pytest.mark.parametrize("first", [b"G", b"\r\n", upgrade()[:-1], PROBE])
def test_the_first_bytes_give_a_socket_no_time_twice(first: bytes) -> None:
    stack = Stack()
    transport = stack.socket()
    stack.clock.advance(8)
    transport.feed(first)
    # Blank lines begin no request; the head of one that has begun has its own time.
    expected = {b"\r\n": (3, 4), PROBE: (75, 76)}.get(first, (11, 12))
    assert seconds_until_ended(stack, transport, 80) in expected


def test_silent_sockets_end_with_a_server_that_leaves() -> None:
    stack = Stack()
    silent, asking = stack.socket(), stack.socket()
    asking.feed(PROBE[:-2])
    idle: list[bool] = []
    stack.front.drain(lambda: idle.append(True))
    stack.front.close_idle()
    stack.clock.run_soon()
    assert silent.is_lost
    assert not asking.is_lost
    assert not idle
    asking.feed(PROBE[-2:])
    stack.clock.run_soon()
    assert asking.is_lost
    assert idle
    assert stack.front.open_count == 0


def test_the_last_silent_socket_to_leave_is_told_of() -> None:
    stack = Stack()
    first, second = stack.socket(), stack.socket()
    idle: list[int] = []
    stack.front.wind_down(lambda: idle.append(stack.front.open_count))
    first.feed(upgrade())
    assert idle == []
    second.reset()
    stack.clock.run_soon()
    assert idle == [1]


def test_a_socket_without_room_is_answered_and_ignored() -> None:
    stack = Stack()
    stack.front.room.most = 1
    kept, refused = stack.socket(), stack.socket()
    assert refused.is_closing()
    assert refused.read().startswith(b"HTTP/1.1 503 ")
    assert stack.front.room.refused == 1
    protocol = refused.get_protocol()
    assert not isinstance(protocol, AcceptedSocket | HttpProtocol)
    stack.clock.run_soon()
    assert protocols(stack) == [kept.get_protocol()]


def test_a_handshake_beyond_the_turn_is_served_in_another() -> None:
    stack = Stack()
    transport = stack.socket()
    turn = stack.front.turn
    assert turn.has_time()
    turn._until = stack.clock.monotonic() - 1
    turn.left = 0
    transport.feed(upgrade())
    assert transport.read() == b""
    stack.clock.run_soon()
    assert transport.read().startswith(b"HTTP/1.1 101 ")
    assert stack.front.websockets.open_count == 1
    assert stack.front.http_connections == set()


def test_a_first_read_costs_its_share_of_the_turn_once() -> None:
    spent = []
    for first in (upgrade(), PROBE):
        stack = Stack()
        transport = stack.socket()
        before = stack.front.turn.left
        transport.feed(first)
        spent.append(before - stack.front.turn.left - len(first))
    assert spent[0] == spent[1]
