"""Answers where there is a bus: they leave behind what their requests have put on it, and are the same otherwise."""

from __future__ import annotations

from collections.abc import Callable

from tests.fakes.http_socket import HttpSocket
from tests.server.http.test_protocol import get, post


class Bus:
    """Calls back when a test says that what was put on it has been sent."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def after(self, callback: Callable[[], None]) -> None:
        """Remember a callback."""
        self.waiting.append(callback)

    def send(self) -> None:
        """Call back whoever waits now."""
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()


def socket_and_bus() -> tuple[HttpSocket, Bus]:
    """Return a socket of a server with a bus."""
    socket, bus = HttpSocket(), Bus()
    socket.service.after_bus = bus.after
    return socket, bus


def test_an_answer_leaves_after_its_requests_messages_to_the_bus() -> None:
    socket, bus = socket_and_bus()
    socket.feed(post("/a", b"1"))
    assert len(socket.asked) == 1
    assert socket.statuses() == []
    bus.send()
    assert socket.statuses() == [200]


def test_answers_keep_the_order_of_their_requests() -> None:
    socket, bus = socket_and_bus()
    socket.feed(*(get(f"/{number}") for number in range(3)), get("/3") + get("/4"))
    bus.send()
    assert [answer.body.split()[1] for answer in socket.answers()] == [b"/%d?" % number for number in range(5)]
    socket.feed(get("/5"))
    bus.send()
    assert socket.statuses() == [200]


async def test_an_answer_from_a_store_also_leaves_after_the_bus() -> None:
    socket, bus = socket_and_bus()
    socket.feed(get("/a") + get("/asks") + get("/b"))
    await socket.service.questions.answer(None)
    assert socket.statuses() == []
    bus.send()
    assert socket.statuses() == [200, 200, 200]


def test_the_last_answer_leaves_before_the_socket_is_closed() -> None:
    socket, bus = socket_and_bus()
    socket.feed(get("/a") + get("/b", b"Connection: close"))
    assert not socket.is_finished
    # It is the last all the same.
    socket.feed(get("/c"))
    bus.send()
    assert socket.statuses() == [200, 200]
    assert socket.is_finished
    assert len(socket.asked) == 2


def test_a_socket_that_is_drained_is_closed_behind_its_answer() -> None:
    socket, bus = socket_and_bus()
    socket.feed(get("/a"))
    socket.protocol.drain()
    bus.send()
    assert socket.statuses() == [200]
    assert socket.is_finished


def test_a_peer_that_is_gone_gets_nothing() -> None:
    socket, bus = socket_and_bus()
    socket.feed(get("/a"))
    socket.transport.abort()
    socket.clock.advance(1)
    bus.send()
    assert socket.transport.is_lost
    assert not socket.transport.sent


def test_what_is_refused_comes_after_what_was_answered() -> None:
    socket, bus = socket_and_bus()
    socket.feed(get("/a") + b"nonsense\r\n\r\n")
    bus.send()
    assert socket.statuses() == [200, 400]
    assert socket.is_finished


def test_an_upgrade_is_answered_behind_what_was_asked_before() -> None:
    socket, bus = socket_and_bus()
    socket.feed(get("/a") + get("/app/key", b"Upgrade: websocket", b"Connection: Upgrade"))
    bus.send()
    assert [answer.body.split()[1] for answer in socket.answers()] == [b"/a?", b"/app/key?"]
