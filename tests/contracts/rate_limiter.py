"""What every rate limiter driver does.

A driver's test module has `class TestX(RateLimiterContract)` and a fixture `limiter`. Where the driver's clock cannot
be moved by hand, `elapse` waits; no test here needs more than three seconds of it.
"""

from __future__ import annotations

import asyncio

from sockudo.ratelimit.base import Decision, Limit, RateLimiter
from tests.support.answers import settle


class RateLimiterContract:
    async def elapse(self, seconds: float) -> None:
        """Let `seconds` pass for the driver."""
        raise NotImplementedError

    async def test_exactly_the_limit_is_allowed(self, limiter: RateLimiter) -> None:
        limit = Limit(5, 60)
        decisions = [await settle(limiter.consume("key", limit)) for _ in range(7)]
        assert [decision.allowed for decision in decisions] == [True] * 5 + [False] * 2
        assert [decision.remaining for decision in decisions] == [4, 3, 2, 1, 0, 0, 0]
        assert {decision.limit for decision in decisions} == {5}

    async def test_a_limit_of_one_allows_one(self, limiter: RateLimiter) -> None:
        limit = Limit(1, 60)
        assert (await settle(limiter.consume("key", limit))).allowed
        assert not (await settle(limiter.consume("key", limit))).allowed

    async def test_a_limit_of_none_allows_none(self, limiter: RateLimiter) -> None:
        decision = await settle(limiter.consume("key", Limit(0, 60)))
        assert (decision.allowed, decision.limit, decision.remaining) == (False, 0, 0)
        assert 1 <= decision.reset_after <= 60

    async def test_a_fresh_window_resets_after_its_length(self, limiter: RateLimiter) -> None:
        assert await settle(limiter.consume("key", Limit(5, 60))) == Decision(True, 5, 4, 60)

    async def test_keys_are_counted_apart(self, limiter: RateLimiter) -> None:
        limit = Limit(1, 60)
        for key in ("api::192.0.2.1", "api::192.0.2.10", "api::2001:db8::1", "with space", "a/b", "\N{SNOWMAN}"):
            assert (await settle(limiter.consume(key, limit))).allowed
            assert not (await settle(limiter.consume(key, limit))).allowed

    async def test_several_units_are_taken_all_or_none(self, limiter: RateLimiter) -> None:
        limit = Limit(10, 60)
        assert (await settle(limiter.consume("key", limit, 7))).remaining == 3
        refused = await settle(limiter.consume("key", limit, 4))
        assert (refused.allowed, refused.remaining) == (False, 3)
        taken = await settle(limiter.consume("key", limit, 3))
        assert (taken.allowed, taken.remaining) == (True, 0)

    async def test_more_units_than_the_limit_never_fit(self, limiter: RateLimiter) -> None:
        limit = Limit(3, 60)
        refused = await settle(limiter.consume("key", limit, 4))
        assert (refused.allowed, refused.remaining) == (False, 3)
        assert refused.reset_after >= 1
        assert (await settle(limiter.consume("key", limit, 3))).allowed

    async def test_the_window_slides(self, limiter: RateLimiter) -> None:
        limit = Limit(2, 2)
        await settle(limiter.consume("key", limit))
        await self.elapse(1.25)
        await settle(limiter.consume("key", limit))
        await self.elapse(1)
        # The first unit has left and the second has not: a fixed window would allow two.
        assert (await settle(limiter.consume("key", limit))).allowed
        assert not (await settle(limiter.consume("key", limit))).allowed

    async def test_what_was_refused_is_not_counted(self, limiter: RateLimiter) -> None:
        limit = Limit(1, 2)
        await settle(limiter.consume("key", limit))
        await self.elapse(1)
        assert not (await settle(limiter.consume("key", limit))).allowed
        await self.elapse(1.25)
        assert (await settle(limiter.consume("key", limit))).allowed

    async def test_waiting_as_long_as_a_refusal_says_is_enough(self, limiter: RateLimiter) -> None:
        limit = Limit(2, 2)
        await settle(limiter.consume("key", limit))
        await self.elapse(0.25)
        await settle(limiter.consume("key", limit))
        refused = await settle(limiter.consume("key", limit))
        assert not refused.allowed
        assert 1 <= refused.reset_after <= 2
        await self.elapse(refused.reset_after)
        assert (await settle(limiter.consume("key", limit))).allowed

    async def test_calls_at_the_same_time_cannot_share_a_unit(self, limiter: RateLimiter) -> None:
        limit = Limit(10, 60)

        async def consume() -> Decision:
            await asyncio.sleep(0)
            return await settle(limiter.consume("key", limit))

        decisions = await asyncio.gather(*(consume() for _ in range(50)))
        assert sum(decision.allowed for decision in decisions) == 10

    async def test_several_units_at_one_moment_do_not_exceed_the_limit(self, limiter: RateLimiter) -> None:
        limit = Limit(10, 60)

        async def consume() -> Decision:
            await asyncio.sleep(0)
            return await settle(limiter.consume("key", limit, 4))

        decisions = await asyncio.gather(*(consume() for _ in range(20)))
        assert sum(decision.allowed for decision in decisions) == 2
        assert (await settle(limiter.consume("key", limit, 2))).allowed

    async def test_a_limiter_that_works_passes_its_check(self, limiter: RateLimiter) -> None:
        await settle(limiter.check())

    async def test_closing_twice_does_no_harm(self, limiter: RateLimiter) -> None:
        await settle(limiter.consume("key", Limit(5, 60)))
        await limiter.aclose()
        await limiter.aclose()
