"""Settings -> what a server keeps its apps, cached events and counts of requests in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sockudo.app_options import app_manager_from_settings
from sockudo.apps.base import AppManager
from sockudo.cache.base import Cache
from sockudo.cache.memory import MemoryCache
from sockudo.cache.none import NoCache
from sockudo.clock import Clock
from sockudo.config.model import Settings
from sockudo.eventual import Eventual
from sockudo.ratelimit.base import RateLimiter
from sockudo.ratelimit.memory import MemoryRateLimiter


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

    async def start(self) -> Sequence[str]:
        """Get all of them ready; return the ids of the apps that were changed by that.

        Raises:
            ConfigError: an app of the settings cannot be put into the database.
            DriverError: one cannot be used; the message names the setting.
        """
        changed = await self.apps.start()
        await self.cache.start()
        if self.limiter is not None:
            await self.limiter.start()
        return changed

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
        apps=app_manager_from_settings(settings, clock),
        cache=cache,
        limiter=MemoryRateLimiter(clock) if settings.rate_limiter.enabled else None,
        sweep=cache.sweep,
    )


def _cache(settings: Settings, clock: Clock) -> MemoryCache | NoCache:
    return MemoryCache(settings.cache.memory.max_capacity, clock) if settings.cache.driver == "memory" else NoCache()
