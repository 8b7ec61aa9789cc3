"""The exceptions of the server, as a tree.

SockudoError
├── ConfigError                a setting is wrong; carries every problem found
├── DriverError                a broker or a store cannot be used; drivers have kinds of their own
├── MissingExtraError          a driver needs an optional dependency that is not installed
├── supervisor.listening.listeners.ListenError   the address cannot be listened on
├── supervisor.listening.activation.ActivationError   a socket of a service manager cannot be used
├── supervisor.listening.socket_file.SocketFileError   the unix socket cannot be made
├── server.accepting.certificates.TlsError   a certificate or a key cannot be used
├── server.accepting.proxy_header.ProxyHeaderError   a connection of a proxy begins without a proper header
├── supervisor.worker_place.WorkerError   workers cannot be started
├── apps.database.store.AppExistsError   an app has the id or the key already
└── cli.app_database.AppUnknownError     no app has the id

pusher.errors.PusherError      a request of a peer is refused; the protocol says how the peer is told
├── CloseConnection            40xx, 41xx, 42xx: pusher:error, then a close frame with the same code
├── CommandRejected            43xx or no code: pusher:error, the connection stays
│   └── MessageUnreadable      the message is no command; a connection that sends many of them is closed
├── SubscriptionRejected       pusher:subscription_error for one channel, the connection stays
└── RequestRejected            an HTTP answer with a 4xx status, or 503

websocket.frames.FrameError    bytes that are not a WebSocket frame; carries the close code
websocket.handshake.HandshakeError   an upgrade that RFC 6455 refuses; carries the HTTP status
"""

from __future__ import annotations


class SockudoError(Exception):
    """Base of everything this server raises about itself."""


class ConfigError(SockudoError):
    """Settings that cannot be used.

    `problems` has one line for each, of the form `path: what was expected and what was found`.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DriverError(SockudoError):
    """A broker or a store cannot be used. The message names it and the setting, and no secret."""


class MissingExtraError(SockudoError):
    """A driver was chosen whose optional dependencies are not installed."""
