from __future__ import annotations

import pytest

from sockudo.queues.base import Delivery, Failed, Retry
from sockudo.webhooks.delivery.policy import RetryPolicy, body_time_ms, is_too_late

ACCEPTED = 1_700_000_000.0


def delivery(attempt: int) -> Delivery:
    return Delivery("lane", b"", attempt, ACCEPTED)


def test_pauses_double_with_a_little_chance() -> None:
    for attempt in range(1, 9):
        outcomes = [RetryPolicy().after_failure(delivery(attempt), "why", ACCEPTED) for _ in range(50)]
        pauses = [outcome.after for outcome in outcomes if isinstance(outcome, Retry)]
        assert len(pauses) == 50
        assert all(0.9 <= pause / 2 ** (attempt - 1) <= 1.1 for pause in pauses)
        assert len(set(pauses)) > 1


def test_the_last_attempt_is_the_last() -> None:
    assert RetryPolicy(3).after_failure(delivery(3), "answered 500", ACCEPTED) == Failed(
        "answered 500 (attempt 3, the last)"
    )


def test_everything_ends_before_300_seconds() -> None:
    now, attempt = ACCEPTED, 1
    while isinstance(outcome := RetryPolicy(100).after_failure(delivery(attempt), "why", now), Retry):
        # Each attempt takes as long as an endpoint may.
        now, attempt = now + outcome.after + 10, attempt + 1
        assert now - 10 < ACCEPTED + 290
    assert attempt > 5
    assert not is_too_late(delivery(1), ACCEPTED + 289)
    assert is_too_late(delivery(1), ACCEPTED + 290)


@pytest.mark.parametrize(("age", "expected"), [(0, 0), (3, 3), (10, 10), (11, 0), (3600, 0)])
def test_a_body_has_its_events_time_unless_long_ago(age: float, expected: float) -> None:
    event_ms = int((ACCEPTED - age) * 1000)
    assert body_time_ms(event_ms, ACCEPTED) == int((ACCEPTED - expected) * 1000)
