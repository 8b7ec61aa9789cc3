from __future__ import annotations

from collections.abc import Callable

import pytest

from sockudo.api.messages import EMPTY_OBJECT, Request, Response, error_response
from sockudo.api.outage import Outage
from sockudo.api.throttle import ClientNames, Throttle
from sockudo.ratelimit.area import AreaError
from sockudo.ratelimit.base import Decision, Limit, RateLimiter
from sockudo.ratelimit.counters import Checks
from sockudo.ratelimit.memory import MemoryRateLimiter
from sockudo.ratelimit.networks import Networks
from tests.clients.api import error_of, header
from tests.fakes.clock import FakeClock
from tests.fakes.eventual import AskedLimiter, answer, now


def request(peer: str | None = "192.0.2.1", forwarded: str | None = None) -> Request:
    headers = [] if forwarded is None else [(b"X-Forwarded-For", forwarded.encode())]
    return Request("GET", "/", headers=headers, peer=peer)


def throttle(
    trust_hops: int = 0,
    limiter: RateLimiter | None = None,
    name: str = "api",
    clock: FakeClock | None = None,
    trusted: Networks | None = None,
    *,
    is_open: bool = False,
) -> Throttle:
    outage = Outage(clock or FakeClock(), is_open=is_open)
    clients = ClientNames(trust_hops, trusted=trusted)
    return Throttle(limiter or MemoryRateLimiter(FakeClock()), Limit(2, 60), name=name, clients=clients, outage=outage)


IsAdmitted = Callable[[Throttle, Request], bool]


@pytest.fixture(params=["in general", "at once"])
def is_admitted(request: pytest.FixtureRequest) -> IsAdmitted:
    """What both ways must tell."""
    if request.param == "in general":
        return lambda limit, asked: isinstance(now(limit.admit(asked, Checks())), Decision)
    return lambda limit, asked: isinstance(limit.admit_at_once(asked.peer, lambda: asked, Checks()), Decision)


def test_each_address_has_its_own_limit(is_admitted: IsAdmitted) -> None:
    limit = throttle()
    assert [is_admitted(limit, request()) for _ in range(3)] == [True, True, False]
    assert is_admitted(limit, request("192.0.2.2"))


def test_a_proxy_that_is_not_trusted_is_not_believed(is_admitted: IsAdmitted) -> None:
    limit = throttle()
    results = [is_admitted(limit, request(forwarded=f"198.51.100.{number}")) for number in range(3)]
    assert results == [True, True, False]


def test_behind_a_trusted_proxy_its_clients_are_told_apart(is_admitted: IsAdmitted) -> None:
    limit = throttle(trust_hops=1)
    results = [is_admitted(limit, request(forwarded=f"198.51.100.{number}")) for number in range(3)]
    assert results == [True, True, True]


@pytest.mark.parametrize(
    ("hops", "networks", "told_apart"),
    [
        (1, ["192.0.2.0/24"], True),
        (1, ["192.0.2.2"], False),
        (0, ["192.0.2.0/24"], False),
        (1, ["unix"], False),
    ],
)
def test_forwarded_headers_count_where_hops_and_networks_both_hold(
    hops: int, networks: list[str], told_apart: bool, is_admitted: IsAdmitted
) -> None:
    limit = throttle(trust_hops=hops, trusted=Networks(networks))
    results = [is_admitted(limit, request(forwarded=f"198.51.100.{number}")) for number in range(3)]
    assert results == [True, True, told_apart]


def test_a_trusted_unix_socket_names_its_clients(is_admitted: IsAdmitted) -> None:
    limit = throttle(trust_hops=1, trusted=Networks(["unix"]))
    assert all(is_admitted(limit, request(None, forwarded=f"198.51.100.{number}")) for number in range(3))


def test_clients_without_an_address_share_a_limit(is_admitted: IsAdmitted) -> None:
    limit = throttle()
    assert [is_admitted(limit, request(None)) for _ in range(3)] == [True, True, False]


def test_limits_of_different_names_are_counted_apart(is_admitted: IsAdmitted) -> None:
    limiter = MemoryRateLimiter(FakeClock())
    for name in ("api", "websocket"):
        limit = throttle(limiter=limiter, name=name)
        assert [is_admitted(limit, request()) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("name", ["api", "websocket"])
def test_a_refusal_names_limit_setting_and_time_to_retry(name: str) -> None:
    limit = throttle(name=name)
    responses = [now(limit.admit(request(), Checks())) for _ in range(3)]
    response = responses[2]
    assert isinstance(response, Response)
    status, text = error_of(response)
    assert status == 429
    assert f"The limit is 2 in 60 s (rate_limiter.{name}_rate_limit)" in text
    assert header(response, "Retry-After") == "60"
    assert header(response, "X-RateLimit-Remaining") == "0"


async def test_a_limiter_behind_a_store_is_waited_for() -> None:
    limiter = AskedLimiter()
    limit = throttle(limiter=limiter)
    first, second = limit.admit(request(), Checks()), limit.admit(request(), Checks())
    assert limiter.questions.open == ["api::192.0.2.1"] * 2
    await limiter.questions.answer(Decision(allowed=True, limit=1, remaining=0, reset_after=60))
    await limiter.questions.answer(Decision(allowed=False, limit=1, remaining=0, reset_after=60))
    assert isinstance(await answer(first), Decision)
    refused = await answer(second)
    assert isinstance(refused, Response)
    assert error_of(refused)[0] == 429


async def test_a_limiter_that_cannot_be_asked_refuses_everything() -> None:
    limiter = AskedLimiter()
    asked = throttle(limiter=limiter).admit(request(), Checks())
    await limiter.questions.fail()
    refused = await answer(asked)
    assert isinstance(refused, Response)
    assert error_of(refused) == (500, "Rate limiter backend unavailable (rate_limiter.driver)")


def test_every_answer_can_tell_what_is_left() -> None:
    decision = Decision(allowed=True, limit=100, remaining=99, reset_after=60)
    answer = error_response(404, "no", ("A", "b")).with_decision(decision).with_headers(("C", "d"))
    assert answer.fields() == (
        ("A", "b"),
        ("C", "d"),
        ("X-RateLimit-Limit", "100"),
        ("X-RateLimit-Remaining", "99"),
        ("X-RateLimit-Reset", "60"),
    )


async def test_open_admits_what_cannot_be_counted_and_tells_no_numbers() -> None:
    limiter, checks = AskedLimiter(), Checks()
    asked = throttle(limiter=limiter, is_open=True).admit(request(), checks)
    await limiter.questions.fail()
    admitted = await answer(asked)
    assert isinstance(admitted, Decision)
    assert admitted.allowed
    assert EMPTY_OBJECT.with_decision(admitted).fields() == ()
    assert checks == Checks(checks=1, triggered=0, unanswered=1)


@pytest.mark.parametrize(("is_open", "kind"), [(False, Response), (True, Decision)])
def test_a_limiter_that_fails_at_once_is_away_too(*, is_open: bool, kind: type) -> None:
    class Hanging(MemoryRateLimiter):
        def consume(self, key: str, limit: Limit, cost: int = 1) -> Decision:
            raise AreaError("another worker hangs while it counts")

    limit = throttle(limiter=Hanging(FakeClock()), is_open=is_open)
    assert isinstance(now(limit.admit(request(), Checks())), kind)


def test_checks_and_refusals_are_counted() -> None:
    limit, checks = throttle(), Checks()
    for _ in range(5):
        limit.admit(request(), checks)
    assert checks == Checks(checks=5, triggered=3, unanswered=0)


def test_both_ways_count_one_client_together() -> None:
    limit, checks = throttle(), Checks()
    assert isinstance(now(limit.admit(request(), checks)), Decision)
    assert isinstance(limit.admit_at_once("192.0.2.1", request, checks), Decision)
    assert isinstance(now(limit.admit(request(), checks)), Response)
    refused = limit.admit_at_once("192.0.2.1", request, checks)
    assert isinstance(refused, Response)
    assert error_of(refused)[0] == 429
    assert checks == Checks(checks=4, triggered=2)


def test_peers_without_number_take_no_memory_beyond_the_bound() -> None:
    limit = throttle()
    for number in range(3000):
        assert isinstance(limit.admit_at_once(f"10.0.{number >> 8}.{number & 255}", request, Checks()), Decision)
    assert len(limit._meters) <= 1024
