"""What a socket that has come through a door takes from its arrival."""

from __future__ import annotations

import gc
import weakref

from sockudo.server.accepting.arrived import ArrivedProtocol, ArrivedSocket
from tests.fakes.http_socket import EchoService
from tests.fakes.stack import Stack, upgrade
from tests.fakes.transport import FakeTransport


class Arrival:
    """Brings a socket of a client that a proxy has named."""

    def __init__(self) -> None:
        self.client: str | None = "192.0.2.99"
        self.handed = 0

    def handed_over(self) -> None:
        self.handed += 1


def test_a_websocket_keeps_nothing_of_its_arrival() -> None:
    stack, arrival = Stack(), Arrival()
    protocol = stack.front.arrived(arrival)
    assert isinstance(protocol, ArrivedSocket)
    transport = FakeTransport(stack.clock, protocol)
    protocol.connection_made(transport)
    assert arrival.handed == 1
    assert stack.front.open_count == 1
    transport.feed(upgrade())
    assert transport.get_protocol() is protocol
    gone = weakref.ref(arrival)
    del arrival
    gc.collect()
    assert gone() is None


def test_http_on_an_arrived_socket_knows_the_proxys_client() -> None:
    stack = Stack()
    service, arrival = EchoService(stack.clock), Arrival()
    protocol = ArrivedProtocol(service, arrival)
    transport = FakeTransport(stack.clock, protocol)
    protocol.connection_made(transport)
    transport.feed(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert arrival.handed == 1
    assert [request.peer for request in service.requests] == ["192.0.2.99"]


def test_http_behind_a_first_read_knows_the_proxys_client() -> None:
    stack, arrival = Stack(), Arrival()
    seen: list[str | None] = []
    handle = stack.front.handle

    def noted(request: object) -> object:
        seen.append(request.peer)  # type: ignore[attr-defined]  # it is a Request
        return handle(request)  # type: ignore[arg-type]  # it is a Request

    stack.front.handle = noted  # type: ignore[method-assign, assignment]  # looks, and does what it did
    protocol = stack.front.arrived(arrival)
    transport = FakeTransport(stack.clock, protocol)
    protocol.connection_made(transport)
    transport.feed(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert seen == ["192.0.2.99"]
