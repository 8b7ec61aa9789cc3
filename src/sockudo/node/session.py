"""The conversation with one client: parses messages, runs use cases, answers refusals."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any

from sockudo.hub.connection import MAX_UNREADABLE, UNREADABLE_SECONDS, Connection
from sockudo.node.connection_errors import count_refused
from sockudo.node.node import Node
from sockudo.node.publisher import Publisher
from sockudo.node.subscriptions import Stage, Subscriptions, Wait
from sockudo.pusher import events
from sockudo.pusher.codes import Code
from sockudo.pusher.commands import ClientEvent, Ping, Signin, Subscribe, Unsubscribe, parse_command
from sockudo.pusher.errors import (
    CloseConnection,
    CommandRejected,
    MessageUnreadable,
    PusherError,
    SubscriptionRejected,
)
from sockudo.timing.slices import Slices
from sockudo.websocket.frames import text_frame

_PONG = text_frame(events.PONG)

_NOISE = f"Too many unreadable messages: {MAX_UNREADABLE} within {UNREADABLE_SECONDS:g} s"

# Messages that may wait behind another before nothing more is read from their sender.
_MAX_BACKLOG = 100


class Session:
    """Carries out what clients ask. It keeps nothing of a conversation: the connection does, so one serves all."""

    def __init__(self, node: Node, subscriptions: Subscriptions, publisher: Publisher) -> None:
        self._node = node
        self._subscriptions = subscriptions
        self._publisher = publisher
        # Messages of connections that have waited.
        self._resumed = Slices(node.clock)

    def receive(self, connection: Connection, payload: bytes) -> None:
        """Carry out one message; whatever is wrong with it is told to its sender only.

        While an earlier message of the connection waits for the cluster, the later ones wait behind it.
        """
        # hot path
        totals = connection.totals
        totals.messages_received += 1
        totals.bytes_received += len(payload)
        backlog = connection.backlog
        if backlog is None:
            self._handle(connection, payload)
            return
        backlog.append(payload)
        if len(backlog) == _MAX_BACKLOG:
            connection.wire.pause_reading()

    def _resume(self, connection: Connection, payload: bytes, stage: Stage, done: asyncio.Future[Any]) -> None:
        """Carry out again the message that had to wait, then those behind it.

        One answer of a store or of the bus may end the wait of thousands of connections, each with hundreds of messages
        behind it: they take turns, a message each, in slices.
        """
        if not done.cancelled():
            # Where a store could not be asked, what is known has to do.
            done.exception()
        self._resumed.in_order(self._go_on(connection, payload, stage))

    def _go_on(self, connection: Connection, payload: bytes, stage: Stage, *, is_held: bool = False) -> Iterator[None]:
        """Carry out one message of a connection that has waited, and line up the next one behind those of others.

        Nothing more is read while `is_held`: what comes then, a close frame too, does not overtake what has waited.
        """
        backlog, connection.backlog = connection.backlog, None
        if not connection.is_open or backlog is None:
            return
        is_held = is_held or len(backlog) >= _MAX_BACKLOG
        self._handle(connection, payload, stage)
        if connection.backlog is None and backlog and connection.is_open:
            connection.backlog = backlog
            self._resumed.in_order(self._go_on(connection, backlog.popleft(), Stage.NEW, is_held=is_held))
        else:
            if connection.backlog is not None:
                connection.backlog.extend(backlog)
            if is_held and len(connection.backlog or ()) < _MAX_BACKLOG and connection.is_open:
                connection.wire.resume_reading()
        yield

    def _handle(self, connection: Connection, payload: bytes, stage: Stage = Stage.NEW) -> None:
        try:
            waiting = self._carry_out(connection, payload, stage)
            if waiting is not None:
                connection.backlog = deque()
                waiting.done.add_done_callback(partial(self._resume, connection, payload, waiting.stage))
        except CommandRejected as rejected:
            count_refused(connection.totals, rejected)
            if isinstance(rejected, MessageUnreadable) and connection.sends_noise(self._node.clock.monotonic()):
                self._node.fail(connection, CloseConnection(Code.OVER_CAPACITY, _NOISE))
                return
            connection.send(text_frame(events.error(rejected.message, rejected.code, rejected.channel)))
            self._note("command refused", connection, rejected.code, rejected, rejected.channel)
        except SubscriptionRejected as rejected:
            count_refused(connection.totals, rejected)
            # The error event repeats it for libraries that do not know the first; without a 40xx code, on which
            # several of them hang up.
            connection.send(
                text_frame(
                    events.subscription_error(rejected.channel, rejected.kind, rejected.message, rejected.status)
                )
            )
            connection.send(text_frame(events.error(rejected.message)))
            self._note("subscription refused", connection, rejected.status, rejected, rejected.channel)
        except CloseConnection as problem:
            count_refused(connection.totals, problem)
            self._node.fail(connection, problem)

    def _note(
        self, event: str, connection: Connection, code: int | None, refused: PusherError, channel: str | None
    ) -> None:
        self._node.refusals.note(
            event,
            code,
            refused.message,
            app=connection.app.id,
            signed_text=refused.signed_text,
            socket_id=connection.socket_id,
            channel=channel,
        )

    def _carry_out(self, connection: Connection, payload: bytes, stage: Stage) -> Wait | None:
        command = parse_command(payload)
        match command:
            case ClientEvent():
                self._publisher.client_event(connection, command, self._node.clock.monotonic())
            case Subscribe():
                return self._subscriptions.subscribe(connection, command, stage)
            case Unsubscribe():
                self._subscriptions.unsubscribe(connection, command)
            case Ping():
                connection.send(_PONG)
            case Signin():
                return self._subscriptions.sign_in(connection, command, stage)
            case _:
                # Pong, and events that this server does not know: a sign of life, and nothing else.
                pass
        return None
