"""WebSockets whose app, or whose limit, is in a store that has to be asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sockudo.ratelimit.base import Decision
from tests.clients.frames import CLOSE, TEXT, masked_frame, read_server_frames
from tests.fakes.eventual import AskedAppManager, AskedLimiter
from tests.fakes.http_socket import read_answers
from tests.fakes.node import make_app
from tests.fakes.stack import Stack, upgrade
from tests.fakes.transport import FakeTransport

PING = masked_frame(TEXT, b'{"event":"pusher:ping","data":{}}')


def waiting(behind: bytes = b"", **stores: Any) -> tuple[Stack, FakeTransport]:
    """Return a server, and a socket whose upgrade waits."""
    stack = Stack(stores=stores, rate_limiter={"enabled": True})
    transport = stack.socket()
    transport.feed(upgrade() + behind)
    assert transport.read() == b""
    assert not transport.is_reading()
    return stack, transport


def events(transport: FakeTransport) -> list[str]:
    """Return what was sent behind the handshake: events, and the codes of close frames."""
    head, found, rest = transport.read().partition(b"\r\n\r\n")
    assert found, head
    assert head.startswith(b"HTTP/1.1 101 ")
    frames, left = read_server_frames(rest)
    assert left == b""
    return [
        str(int.from_bytes(payload[:2], "big")) if opcode == CLOSE else json.loads(payload)["event"]
        for opcode, payload in frames
    ]


async def test_the_upgrade_is_answered_when_the_app_is_there() -> None:
    manager = AskedAppManager()
    stack, transport = waiting(apps=manager)
    assert manager.questions.open == ["app-key"]
    assert stack.front.open_count == 1
    await manager.questions.answer(make_app())
    assert events(transport) == ["pusher:connection_established"]
    assert transport.is_reading()
    assert (stack.front.open_count, stack.front.websockets.open_count) == (1, 1)


async def test_what_came_behind_the_handshake_is_carried_out_then() -> None:
    manager = AskedAppManager()
    stack, transport = waiting(PING, apps=manager)
    await manager.questions.answer(make_app())
    stack.clock.run_soon()
    assert events(transport) == ["pusher:connection_established", "pusher:pong"]


@pytest.mark.parametrize(
    ("app", "code"), [pytest.param(None, "4001", id="unknown"), pytest.param(make_app(enabled=False), "4003", id="off")]
)
async def test_a_client_is_refused_as_with_a_known_app(app: Any, code: str) -> None:
    manager = AskedAppManager()
    _, transport = waiting(apps=manager)
    await manager.questions.answer(app)
    assert events(transport) == ["pusher:error", code]


async def test_clients_are_told_to_retry_while_the_store_is_gone() -> None:
    manager = AskedAppManager()
    _, transport = waiting(apps=manager)
    await manager.questions.fail()
    assert events(transport) == ["pusher:error", "4100"]


async def test_the_limit_of_connections_is_asked_before_the_app() -> None:
    manager, limiter = AskedAppManager(), AskedLimiter()
    _, transport = waiting(apps=manager, limiter=limiter)
    assert limiter.questions.open == ["websocket::192.0.2.1"]
    assert manager.questions.open == []
    await limiter.questions.answer(Decision(allowed=True, limit=1, remaining=0, reset_after=60))
    assert manager.questions.open == ["app-key"]
    await manager.questions.answer(make_app())
    assert events(transport) == ["pusher:connection_established"]


@pytest.mark.parametrize(("can_be_asked", "status"), [(True, 429), (False, 500)])
async def test_too_many_connections_are_refused_before_the_upgrade(can_be_asked: bool, status: int) -> None:
    limiter = AskedLimiter()
    stack, transport = waiting(limiter=limiter)
    if can_be_asked:
        await limiter.questions.answer(Decision(allowed=False, limit=1, remaining=0, reset_after=60))
    else:
        await limiter.questions.fail()
    (answer,) = read_answers(transport.read())
    assert (answer.status, answer.headers["connection"]) == (status, "close")
    assert transport.is_closing()
    stack.clock.run_soon()
    assert stack.front.open_count == 0


async def test_a_client_that_is_gone_meanwhile_is_forgotten() -> None:
    manager = AskedAppManager()
    stack, transport = waiting(apps=manager)
    transport.reset()
    stack.clock.run_soon()
    assert stack.front.open_count == 0
    await manager.questions.answer(make_app())
    assert transport.read() == b""
    assert stack.node.counters.connections == 0


async def test_a_leaving_server_refuses_the_client_when_the_app_arrives() -> None:
    manager = AskedAppManager()
    stack, transport = waiting(apps=manager)
    stack.node.is_draining = True
    stack.front.drain(lambda: None)
    assert not transport.is_closing()
    await manager.questions.answer(make_app())
    assert events(transport) == ["pusher:error", "4200"]


async def test_a_server_that_stops_drops_the_socket() -> None:
    manager = AskedAppManager()
    stack, transport = waiting(apps=manager)
    await stack.assembly.server.stop()
    assert transport.was_aborted
    await manager.questions.answer(make_app())
    assert transport.read() == b""
