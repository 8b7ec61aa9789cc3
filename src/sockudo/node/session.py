"""A connection's conversation: each message -> a command -> a use case, and refusals -> frames."""

from __future__ import annotations

from sockudo.hub.connection import Connection
from sockudo.node.node import Node
from sockudo.node.publisher import Publisher
from sockudo.node.subscriptions import Subscriptions
from sockudo.pusher import events
from sockudo.pusher.commands import ClientEvent, Ping, Signin, Subscribe, Unsubscribe, parse_command
from sockudo.pusher.errors import CloseConnection, CommandRejected, SubscriptionRejected
from sockudo.rfc6455.frames import text_frame

_PONG = text_frame(events.PONG)


class Session:
    """Carries out what clients ask. It keeps nothing of a conversation: the connection does, so one serves all."""

    def __init__(self, node: Node, subscriptions: Subscriptions, publisher: Publisher) -> None:
        self._node = node
        self._subscriptions = subscriptions
        self._publisher = publisher

    def receive(self, connection: Connection, payload: bytes) -> None:
        """Carry out one message; whatever is wrong with it is told to its sender only."""
        # hot path
        try:
            self._carry_out(connection, payload)
        except CommandRejected as rejected:
            connection.send(text_frame(events.error(rejected.message, rejected.code, rejected.channel)))
        except SubscriptionRejected as rejected:
            # The error event repeats it for libraries that do not know the first; without a 40xx code, on which
            # several of them hang up.
            connection.queue(
                text_frame(
                    events.subscription_error(rejected.channel, rejected.kind, rejected.message, rejected.status)
                )
            )
            connection.send(text_frame(events.error(rejected.message)))
        except CloseConnection as problem:
            self._node.fail(connection, problem)

    def _carry_out(self, connection: Connection, payload: bytes) -> None:
        command = parse_command(payload)
        match command:
            case ClientEvent():
                self._publisher.client_event(connection, command, self._node.clock.monotonic())
            case Subscribe():
                self._subscriptions.subscribe(connection, command)
            case Unsubscribe():
                self._subscriptions.unsubscribe(connection, command)
            case Ping():
                connection.send(_PONG)
            case Signin():
                self._subscriptions.sign_in(connection, command)
            case _:
                # Pong, and events that this server does not know: a sign of life, and nothing else.
                pass
