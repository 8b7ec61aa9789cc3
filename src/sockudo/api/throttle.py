"""Limits how many requests and new connections one client address may make."""

from __future__ import annotations

from sockudo.api.messages import Request, Response, error_response
from sockudo.eventual import Eventual, Future, caught, later
from sockudo.log import get_logger
from sockudo.ratelimit.base import Decision, Limit, RateLimiter
from sockudo.ratelimit.client_address import IPV6_PREFIX, client_ip
from sockudo.ratelimit.networks import Networks

_log = get_logger("sockudo.api.throttle")


class Throttle:
    """One limit for each client address.

    Args:
        name: prefix of the keys, and of the settings named in a refusal: `api` or `websocket`.
        trust_hops: how many proxies in front may be believed about the client's address.
        trusted: whose word counts, as far as the hops go; None is anybody's.
        ipv6_prefix: bits of an IPv6 address that make a client.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        limit: Limit,
        *,
        name: str,
        trust_hops: int,
        trusted: Networks | None = None,
        ipv6_prefix: int = IPV6_PREFIX,
    ) -> None:
        self._limiter = limiter
        self._limit = limit
        self._name = name
        self._setting = f"rate_limiter.{name}_rate_limit"
        self._trust_hops = trust_hops
        self._trusted = trusted
        self._ipv6_prefix = ipv6_prefix
        # Requests since the limiter was lost.
        self._refused = 0

    def admit(self, request: Request) -> Eventual[Decision | Response]:
        """Count one request of its client; return what was decided, or the answer that refuses the request.

        A limiter that cannot be asked refuses everything.
        """
        peer, hops, prefix = request.peer, self._trust_hops, self._ipv6_prefix
        if hops and (self._trusted is None or self._trusted.holds(peer)):
            forwarded_for, real_ip = request.header_list(b"x-forwarded-for"), request.header(b"x-real-ip")
            address = client_ip(peer, forwarded_for, real_ip, hops, prefix)
        else:
            address = client_ip(peer, None, None, 0, prefix)
        decision = self._limiter.consume(f"{self._name}::{address}", self._limit)
        if isinstance(decision, Future):
            return caught(later(decision, self._answer), self._unavailable)
        return self._answer(decision)

    def _answer(self, decision: Decision) -> Decision | Response:
        if self._refused:
            _log.info("rate limiter usable again", limit=self._setting, refused=self._refused)
            self._refused = 0
        return decision if decision.allowed else self._refusal(decision)

    def _refusal(self, decision: Decision) -> Response:
        """Return the 429 of a request that is too many."""
        limit = self._limit
        text = (
            f"Too Many Requests: Rate limit exceeded. The limit is {limit.requests} in {limit.seconds} s "
            f"({self._setting})"
        )
        headers = (*rate_headers(decision), ("Retry-After", str(decision.reset_after)))
        return error_response(429, text, *headers)

    def _unavailable(self, error: Exception) -> Response:
        # Once, and not for each of the thousands that may be refused.
        if not self._refused:
            _log.warning(
                "rate limiter unusable: the server refuses what it limits", limit=self._setting, reason=str(error)
            )
        self._refused += 1
        return error_response(500, "Rate limiter backend unavailable (rate_limiter.driver)")


def rate_headers(decision: Decision) -> tuple[tuple[str, str], ...]:
    """Return what an answer tells of its client's limit; Reset is in seconds from now."""
    return (
        ("X-RateLimit-Limit", str(decision.limit)),
        ("X-RateLimit-Remaining", str(decision.remaining)),
        ("X-RateLimit-Reset", str(decision.reset_after)),
    )
