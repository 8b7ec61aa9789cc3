"""An app: one tenant of the server, with its credentials, switches and limits, as the rest of the code reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from sockudo.apps.origins import AllowedOrigins
from sockudo.apps.webhook import Webhook
from sockudo.pusher.signatures import Signer
from sockudo.pusher.triggers import TriggerLimits


@dataclass(frozen=True, slots=True, eq=False)
class App:
    """One app, with limits that fall back to the global ones already filled in.

    Attributes:
        key: public; clients name it in the WebSocket URL, back ends in `auth_key`.
        signer: makes signatures with the app's secret, which is kept nowhere else.
        max_connections: 0 means no limit.
        max_client_events_per_second: for each connection; 0 means no limit.
        max_backend_events_per_second: events published over HTTP; None means no limit.
        max_read_requests_per_second: GET requests; None means no limit.
        origins: the `Origin` headers that may connect; None means any.
        publishing: the limits of an event.
        webhooks: the endpoints that receive its events.
    """

    id: str
    key: str
    signer: Signer = field(repr=False)
    publishing: TriggerLimits
    enabled: bool = True
    max_connections: int = 0
    enable_client_messages: bool = False
    max_client_events_per_second: int = 0
    max_backend_events_per_second: int | None = None
    max_read_requests_per_second: int | None = None
    max_presence_members: int = 100
    max_presence_member_bytes: int = 2048
    enable_user_authentication: bool = False
    enable_watchlist_events: bool = False
    enable_subscription_count: bool = False
    origins: AllowedOrigins | None = None
    webhooks: tuple[Webhook, ...] = ()
