"""`rate_limiter`: how many requests and connections one client address may make."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sockudo.config.kinds.addresses import OptionalRedisUrl
from sockudo.config.kinds.networks import NetworkList
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Flag, OneOf, OptionalWords, Positive, Whole

_IDENTIFIER = "A label; accepted as the original does, and without effect."
_TRUST_HOPS = "How many proxies in front the server trusts to name the client in X-Forwarded-For; 0 trusts none."
# null in the file is the original's way to say "none".
Hops = Annotated[int, Whole(null=True, null_means=0)]


class ApiRateLimit(Section):
    """HTTP requests of one client address."""

    max_requests: Annotated[Positive, env("RATE_LIMITER_API_MAX_REQUESTS")] = Field(
        default=100, description="Requests in a window."
    )
    window_seconds: Annotated[Positive, env("RATE_LIMITER_API_WINDOW_SECONDS")] = Field(
        default=60, description="Length of the window (seconds)."
    )
    identifier: OptionalWords = Field(default="api", description=_IDENTIFIER)
    trust_hops: Annotated[Hops, env("RATE_LIMITER_API_TRUST_HOPS")] = Field(default=0, description=_TRUST_HOPS)


class WebSocketRateLimit(Section):
    """New WebSocket connections of one client address."""

    max_requests: Annotated[Positive, env("RATE_LIMITER_WS_MAX_REQUESTS", "RATE_LIMITER_WEBSOCKET_MAX_REQUESTS")] = (
        Field(default=20, description="New connections in a window.")
    )
    window_seconds: Annotated[
        Positive, env("RATE_LIMITER_WS_WINDOW_SECONDS", "RATE_LIMITER_WEBSOCKET_WINDOW_SECONDS")
    ] = Field(default=60, description="Length of the window (seconds).")
    identifier: OptionalWords = Field(default="websocket_connect", description=_IDENTIFIER)
    trust_hops: Annotated[Hops, env("RATE_LIMITER_WS_TRUST_HOPS", "RATE_LIMITER_WEBSOCKET_TRUST_HOPS")] = Field(
        default=0, description=_TRUST_HOPS
    )


class RedisRateLimiterSettings(Section):
    """Counting in a Redis (driver `redis`) or a Redis Cluster (driver `redis-cluster`), for all nodes together."""

    prefix: Annotated[OptionalWords, env("RATE_LIMITER_REDIS_PREFIX")] = Field(
        default="sockudo_rl:",
        description="Beginning of the keys; null takes database.redis.key_prefix and `rl_http:`.",
    )
    # An address may hold a password.
    url_override: Annotated[OptionalRedisUrl, env("REDIS_URL", "RATE_LIMITER_REDIS_URL")] = Field(
        default=None, repr=False, description="`redis://` or `rediss://` (TLS); null takes database.redis."
    )
    cluster_mode: Flag = Field(
        default=False, description="Use the Redis Cluster of database.redis.cluster_nodes instead."
    )


class RateLimiterSettings(Section):
    """How many requests and connections one client address may make."""

    # The original switches this on by default, which refuses a back end that publishes more than 100 times a minute.
    # Its documentation says "if configured", which holds here.
    enabled: Annotated[Flag, env("RATE_LIMITER_ENABLED")] = Field(
        default=False,
        description="Whether requests and connections are limited. Off by default, unlike the original, whose default "
        "of 100 requests a minute refuses ordinary back ends.",
    )
    driver: Annotated[
        Literal["memory", "redis", "redis-cluster", "none"],
        OneOf(("memory", "redis", "redis-cluster", "none")),
        env("RATE_LIMITER_DRIVER"),
    ] = Field(
        default="memory",
        description="Where requests are counted: memory is that of the machine, and all workers share it. none is "
        "memory, as in the original.",
    )
    on_store_error: Annotated[
        Literal["closed", "open"], OneOf(("closed", "open")), env("RATE_LIMITER_ON_STORE_ERROR")
    ] = Field(
        default="closed",
        description="What happens while requests cannot be counted, because the store does not answer: closed refuses "
        "them with 500, open admits them all, and the log says once a minute how many. Not a setting of the original.",
    )
    ipv6_prefix: Annotated[int, Whole(low=1, high=128), env("RATE_LIMITER_IPV6_PREFIX")] = Field(
        default=64,
        description="Bits of an IPv6 address that identify a client; all addresses of such a network count together. "
        "Not a setting of the original.",
    )
    trusted_networks: Annotated[NetworkList, env("RATE_LIMITER_TRUSTED_NETWORKS")] = Field(
        default=(),
        description="Networks of the proxies whose X-Forwarded-For and X-Real-IP count, as far as trust_hops goes; "
        "empty is any. `unix` is every peer of unix_socket. Not a setting of the original.",
    )
    api_rate_limit: ApiRateLimit = Field(
        default_factory=ApiRateLimit, description="HTTP requests of one client address."
    )
    websocket_rate_limit: WebSocketRateLimit = Field(
        default_factory=WebSocketRateLimit, description="New WebSocket connections of one client address."
    )
    redis: RedisRateLimiterSettings = Field(
        default_factory=RedisRateLimiterSettings, description="Counting in a Redis or a Redis Cluster."
    )

    def advice(self) -> list[str]:
        """Warn of limits without effect, if the section does not set `enabled`."""
        limits = {"max_requests", "window_seconds"}
        given = any(limits & one.model_fields_set for one in (self.api_rate_limit, self.websocket_rate_limit))
        if self.enabled or "enabled" in self.model_fields_set or not given:
            return []
        return ["the limits of rate_limiter have no effect, because rate_limiter.enabled is not set: set it to true"]
