"""Settings -> what a server keeps its apps, cached events and counts of requests in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sockudo.apps.app import App
from sockudo.apps.base import AppManager
from sockudo.apps.memory import MemoryAppManager
from sockudo.apps.origins import AllowedOrigins
from sockudo.cache.base import Cache
from sockudo.cache.memory import MemoryCache
from sockudo.cache.none import NoCache
from sockudo.clock import Clock
from sockudo.config.app import AppSettings
from sockudo.config.model import Settings
from sockudo.eventual import Eventual
from sockudo.pusher.signatures import Signer
from sockudo.pusher.triggers import TriggerLimits
from sockudo.ratelimit.base import RateLimiter
from sockudo.ratelimit.memory import MemoryRateLimiter

_KILOBYTE: Final = 1024


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one server.

    Attributes:
        limiter: None where requests are not limited.
        sweep: drops what has expired in memory; called every `cache.memory.cleanup_interval`.
    """

    apps: AppManager
    cache: Cache
    limiter: RateLimiter | None
    sweep: Callable[[], None]

    @property
    def checks(self) -> Mapping[str, Callable[[], Eventual[None]]]:
        """By name, how each store without which nothing works is asked whether it can be used; apps are not here."""
        return {"cache": self.cache.check}

    async def start(self) -> None:
        """Get all of them ready.

        Raises:
            DriverError: one cannot be used; the message names the setting.
        """
        await self.apps.start()
        await self.cache.start()
        if self.limiter is not None:
            await self.limiter.start()

    async def aclose(self) -> None:
        """Release what they hold; may be called again."""
        if self.limiter is not None:
            await self.limiter.aclose()
        await self.cache.aclose()
        await self.apps.aclose()


def stores_from_settings(settings: Settings, clock: Clock) -> Stores:
    """Return the stores that the settings ask for; none is started.

    Raises:
        ConfigError: a driver lacks a setting.
        MissingExtraError: what a driver needs is not installed.
    """
    cache = _cache(settings, clock)
    return Stores(
        apps=MemoryAppManager(app_from_settings(app, settings) for app in settings.apps),
        cache=cache,
        limiter=MemoryRateLimiter(clock) if settings.rate_limiter.enabled else None,
        sweep=cache.sweep,
    )


def app_from_settings(app: AppSettings, settings: Settings) -> App:
    """Return an app with the limits that it leaves open taken from the global ones."""

    def limit(own: int | None, everyones: int) -> int:
        return everyones if own is None else own

    events, presence = settings.event_limits, settings.presence
    return App(
        id=app.id,
        key=app.key,
        signer=Signer(app.secret),
        publishing=TriggerLimits(
            max_channels=limit(app.max_event_channels_at_once, events.max_channels_at_once),
            max_name_length=limit(app.max_event_name_length, events.max_name_length),
            max_payload_bytes=limit(app.max_event_payload_in_kb, events.max_payload_in_kb) * _KILOBYTE,
            max_batch_size=limit(app.max_event_batch_size, events.max_batch_size),
            max_channel_name_length=limit(app.max_channel_name_length, settings.channel_limits.max_name_length),
        ),
        enabled=app.enabled,
        max_connections=app.max_connections,
        enable_client_messages=app.enable_client_messages,
        max_client_events_per_second=app.max_client_events_per_second,
        max_backend_events_per_second=app.max_backend_events_per_second,
        max_read_requests_per_second=app.max_read_requests_per_second,
        max_presence_members=limit(app.max_presence_members_per_channel, presence.max_members_per_channel),
        max_presence_member_bytes=limit(app.max_presence_member_size_in_kb, presence.max_member_size_in_kb) * _KILOBYTE,
        enable_user_authentication=app.enable_user_authentication,
        enable_watchlist_events=app.enable_watchlist_events,
        enable_subscription_count=app.enable_subscription_count,
        origins=AllowedOrigins(app.allowed_origins) if app.allowed_origins else None,
    )


def _cache(settings: Settings, clock: Clock) -> MemoryCache | NoCache:
    return MemoryCache(settings.cache.memory.max_capacity, clock) if settings.cache.driver == "memory" else NoCache()
