"""Makes the stores of apps, cached events and rate limits that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sockudo.apps.base import AppManager
from sockudo.assembly.apps import app_manager_from_settings
from sockudo.assembly.drivers import cache_class, rate_limiter_class
from sockudo.assembly.store_options import cache_options, rate_limiter_options
from sockudo.cache.base import Cache
from sockudo.cache.memory import MemoryCache
from sockudo.cache.none import NoCache
from sockudo.config.model import Settings
from sockudo.eventual import Eventual
from sockudo.ratelimit.area import Area
from sockudo.ratelimit.base import RateLimiter
from sockudo.ratelimit.memory import MemoryRateLimiter
from sockudo.timing.clock import Clock


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

    @property
    def other_checks(self) -> Mapping[str, Callable[[], Eventual[None]]]:
        """The same for those without which connected clients are still served."""
        return {} if self.limiter is None else {"rate_limiter": self.limiter.check}

    async def start(self) -> Sequence[str]:
        """Get all of them ready; return the ids of the apps that were changed by that.

        Raises:
            ConfigError: an app of the settings cannot be put into the database.
            DriverError: one cannot be used; the message names the setting.
        """
        try:
            changed = await self.apps.start()
            await self.cache.start()
            if self.limiter is not None:
                await self.limiter.start()
        except BaseException:
            await self.aclose()
            raise
        return changed

    async def aclose(self) -> None:
        """Release what they hold; may be called again."""
        if self.limiter is not None:
            await self.limiter.aclose()
        await self.cache.aclose()
        await self.apps.aclose()


def stores_from_settings(settings: Settings, clock: Clock, area: Area | None = None) -> Stores:
    """Return the stores that the settings ask for; none is started.

    Args:
        area: what the workers of this machine count in, where there are several.

    Raises:
        ConfigError: a driver lacks a setting.
        MissingExtraError: what a driver needs is not installed.
    """
    cache, sweep = _cache(settings, clock)
    return Stores(
        apps=app_manager_from_settings(settings, clock),
        cache=cache,
        limiter=_limiter(settings, clock, area) if settings.rate_limiter.enabled else None,
        sweep=sweep,
    )


def _cache(settings: Settings, clock: Clock) -> tuple[Cache, Callable[[], None]]:
    """Return the cache, and what drops its expired entries from memory."""
    driver = settings.cache.driver
    if driver == "memory":
        memory = settings.cache.memory
        cache = MemoryCache(memory.max_capacity, clock, max_bytes=memory.max_memory_mb * 1024 * 1024)
        return cache, cache.sweep
    if driver == "none":
        return NoCache(), _nothing
    return cache_class(driver)(cache_options(settings)), _nothing


def _limiter(settings: Settings, clock: Clock, area: Area | None) -> RateLimiter:
    driver = settings.rate_limiter.driver
    if driver in ("memory", "none"):
        return MemoryRateLimiter(clock, area)
    limiter: RateLimiter = rate_limiter_class(driver)(rate_limiter_options(settings))
    return limiter


def _nothing() -> None:
    """There is nothing to drop."""
