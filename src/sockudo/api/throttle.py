"""Limits how many requests and new connections one client address may make."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from sockudo.api.messages import Request, Response, error_response
from sockudo.api.outage import Outage
from sockudo.errors import DriverError
from sockudo.eventual import Eventual, Future, caught, later
from sockudo.ratelimit.base import Decision, Limit, RateLimiter
from sockudo.ratelimit.client_address import IPV6_PREFIX, client_ip
from sockudo.ratelimit.counters import Checks
from sockudo.ratelimit.memory import MemoryRateLimiter
from sockudo.ratelimit.networks import Networks

# Peers that publish often keep theirs; one that is made anew costs a look-up.
_MAX_METERS: Final = 1024


class ClientNames(NamedTuple):
    """How clients are told apart.

    Attributes:
        trust_hops: how many proxies in front may be believed about the client's address.
        ipv6_prefix: bits of an IPv6 address that make a client.
        trusted: the proxies that may name an address, as far as the hops go; None for any.
    """

    trust_hops: int = 0
    ipv6_prefix: int = IPV6_PREFIX
    trusted: Networks | None = None


class Throttle:
    """One limit for each client address.

    Args:
        name: prefix of the keys, and of the settings named in a refusal: `api` or `websocket`.
        outage: what happens while the limiter cannot be asked.
    """

    def __init__(self, limiter: RateLimiter, limit: Limit, *, name: str, clients: ClientNames, outage: Outage) -> None:
        self._limiter = limiter
        self._limit = limit
        self.name = name
        self._setting = f"rate_limiter.{name}_rate_limit"
        self._trust_hops, self._ipv6_prefix, self._trusted = clients
        self._outage = outage
        # Count the requests of one peer each; filled only where the limiter is in memory.
        self._meters: dict[str | None, Callable[[], Decision]] = {}

    def admit(self, request: Request, checks: Checks) -> Eventual[Decision | Response]:
        """Count one request of its client; return what was decided, or the answer that refuses the request."""
        checks.checks += 1
        peer, prefix = request.peer, self._ipv6_prefix
        if self._believes(peer):
            forwarded_for, real_ip = request.header_list(b"x-forwarded-for"), request.header(b"x-real-ip")
            address = client_ip(peer, forwarded_for, real_ip, self._trust_hops, prefix)
        else:
            address = client_ip(peer, None, None, 0, prefix)
        try:
            decision = self._limiter.consume(f"{self.name}::{address}", self._limit)
        except DriverError as error:
            return self._unavailable(checks, error)
        if isinstance(decision, Future):
            return caught(later(decision, partial(self._answer, checks)), partial(self._unavailable, checks))
        return self._answer(checks, decision)

    def admit_at_once(self, peer: str | None, request: Callable[[], Request], checks: Checks) -> Decision | Response:
        """Do what `admit` does, sooner; only for a limiter in memory.

        Args:
            peer: that of the request.
            request: makes the request, whose headers may have to be read.
        """
        # hot path
        meter = self._meters.get(peer) or self._new_meter(peer)
        if meter is None:
            decided = self.admit(request(), checks)
            assert not isinstance(decided, Future), "limits in memory are decided at once"
            return decided
        checks.checks += 1
        try:
            decision = meter()
        except DriverError as error:
            return self._unavailable(checks, error)
        if decision.allowed and not self._outage.is_on:
            return decision
        return self._answer(checks, decision)

    def _new_meter(self, peer: str | None) -> Callable[[], Decision] | None:
        """Return what counts a peer's requests; None where their headers decide who is counted."""
        if self._believes(peer):
            return None
        assert isinstance(self._limiter, MemoryRateLimiter)
        if len(self._meters) >= _MAX_METERS:
            self._meters.clear()
        address = client_ip(peer, None, None, 0, self._ipv6_prefix)
        meter = self._meters[peer] = self._limiter.meter(f"{self.name}::{address}", self._limit)
        return meter

    def _believes(self, peer: str | None) -> bool:
        """Return whether a peer may name the client's address."""
        return self._trust_hops > 0 and (self._trusted is None or self._trusted.holds(peer))

    def _answer(self, checks: Checks, decision: Decision) -> Decision | Response:
        self._outage.answered(self._setting)
        if decision.allowed:
            return decision
        checks.triggered += 1
        return self._refusal(decision)

    def _refusal(self, decision: Decision) -> Response:
        """Return the 429 of a request that is too many."""
        limit = self._limit
        text = (
            f"Too Many Requests: Rate limit exceeded. The limit is {limit.requests} in {limit.seconds} s "
            f"({self._setting})"
        )
        return error_response(429, text, ("Retry-After", str(decision.reset_after))).with_decision(decision)

    def _unavailable(self, checks: Checks, error: Exception) -> Decision | Response:
        checks.unanswered += 1
        if self._outage.admits(self._setting, str(error)):
            return Decision(True, self._limit.requests, 0, self._limit.seconds, is_counted=False)
        return error_response(500, "Rate limiter backend unavailable (rate_limiter.driver)")
