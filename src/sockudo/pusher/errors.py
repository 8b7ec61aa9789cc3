"""The refusals of the server: one class for each way in which it tells a peer that a request failed."""

from __future__ import annotations

from typing import Self


class PusherError(Exception):
    """Base of every refusal. `message` is the text for the peer: it names the limit and the setting, never a secret.

    Attributes:
        signed_text: what a refused signature should have signed; for the log.
        app_id: the app that the refusal is about, where it is known.
    """

    signed_text: bytes = b""
    app_id: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def about_signature(self, signed_text: bytes) -> Self:
        """Return this refusal with the text that should have been signed."""
        self.signed_text = signed_text
        return self


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


class EventNameMissing(MessageUnreadable):
    """One message is a JSON object, and names no event."""


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
    """An HTTP request is refused with `status` (4xx or 503); `retry_after` seconds become `Retry-After`."""

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
