"""How the server refuses what a peer asked for; each class is told to the peer in its own way."""

from __future__ import annotations


class PusherError(Exception):
    """Base of every refusal. `message` is the text for the peer: it names the limit and the setting, never a secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class CloseConnection(PusherError):
    """The connection ends: `pusher:error` with `code` (4000-4299), then a close frame with the same code and text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class CommandRejected(PusherError):
    """One frame is refused: `pusher:error` with `code` (43xx, or None for no code); the connection stays open."""

    def __init__(self, message: str, code: int | None = None, channel: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.channel = channel


class MessageUnreadable(CommandRejected):
    """One message is no command: not UTF-8, not JSON, no event, or members of other types than the event needs."""


class SubscriptionRejected(PusherError):
    """One subscription is refused: `pusher:subscription_error` on its channel; the connection stays open.

    `kind` and `status` are the `type` and `status` of the frame: AuthError 401, LimitReached 4004,
    InvalidChannel 400 or InvalidMessage 400.
    """

    def __init__(self, channel: str, kind: str, message: str, status: int) -> None:
        super().__init__(message)
        self.channel = channel
        self.kind = kind
        self.status = status


class RequestRejected(PusherError):
    """An HTTP request is refused with `status` (4xx or 503); `retry_after` seconds become a header of a 429."""

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
