from __future__ import annotations

import pytest

from sockudo.cluster.local import NoJournal
from sockudo.node.quotas import AppQuotas
from sockudo.pusher.errors import RequestRejected
from sockudo.ratelimit.memory import MemoryRateLimiter
from tests.fakes.clock import FakeClock
from tests.fakes.node import make_app


def test_exactly_the_limit_of_events_passes_in_a_second() -> None:
    clock = FakeClock()
    quotas, app = AppQuotas(clock, NoJournal()), make_app(max_backend_events_per_second=5)
    for _ in range(2):
        quotas.take_events(app, 3)
        quotas.take_events(app, 2)
        with pytest.raises(
            RequestRejected, match=r"5 a second \(max_backend_events_per_second of the app\)"
        ) as refused:
            quotas.take_events(app, 1)
        assert (refused.value.status, refused.value.retry_after) == (429, 1)
        clock.advance(1)


def test_a_batch_is_taken_whole_or_not_at_all() -> None:
    quotas, app = AppQuotas(FakeClock(), NoJournal()), make_app(max_backend_events_per_second=5)
    quotas.take_events(app, 3)
    with pytest.raises(RequestRejected):
        quotas.take_events(app, 3)
    quotas.take_events(app, 2)


def test_a_batch_over_the_limit_never_fits() -> None:
    quotas, app = AppQuotas(FakeClock(), NoJournal()), make_app(max_backend_events_per_second=5)
    with pytest.raises(RequestRejected) as refused:
        quotas.take_events(app, 6)
    assert refused.value.retry_after == 1


def test_reads_are_counted_by_themselves() -> None:
    quotas = AppQuotas(FakeClock(), NoJournal())
    app = make_app(max_backend_events_per_second=1, max_read_requests_per_second=1)
    quotas.take_events(app, 1)
    quotas.take_read(app)
    with pytest.raises(RequestRejected, match="max_read_requests_per_second"):
        quotas.take_read(app)


def test_each_app_has_its_own() -> None:
    quotas = AppQuotas(FakeClock(), NoJournal())
    for app_id in ("1", "2"):
        quotas.take_read(make_app(id=app_id, max_read_requests_per_second=1))


def test_a_limit_of_zero_lets_nothing_pass() -> None:
    with pytest.raises(RequestRejected):
        AppQuotas(FakeClock(), NoJournal()).take_read(make_app(max_read_requests_per_second=0))


def test_an_app_without_limits_is_not_counted() -> None:
    quotas, app = AppQuotas(FakeClock(), NoJournal()), make_app()
    for _ in range(1000):
        quotas.take_events(app, 10)
        quotas.take_read(app)


def test_what_other_nodes_let_through_counts_here() -> None:
    clock = FakeClock()
    quotas = AppQuotas(clock, NoJournal())
    app = make_app(max_backend_events_per_second=5, max_read_requests_per_second=2)
    quotas.used_elsewhere(app.id, 3, 1)
    quotas.take_events(app, 1)
    quotas.used_elsewhere(app.id, 1, 0)
    with pytest.raises(RequestRejected):
        quotas.take_events(app, 1)
    quotas.take_read(app)
    with pytest.raises(RequestRejected):
        quotas.take_read(app)
    clock.advance(1)
    quotas.take_events(app, 5)
    quotas.take_read(app)


def test_others_are_told_what_was_let_through_and_nothing_else() -> None:
    told: list[tuple[str, int, int]] = []

    class Journal(NoJournal):
        def quota_used(self, app_id: str, events: int = 0, reads: int = 0) -> None:
            told.append((app_id, events, reads))

    quotas = AppQuotas(FakeClock(), Journal())
    app = make_app(max_backend_events_per_second=5, max_read_requests_per_second=1)
    quotas.take_events(app, 3)
    quotas.take_read(app)
    with pytest.raises(RequestRejected):
        quotas.take_events(app, 3)
    with pytest.raises(RequestRejected):
        quotas.take_read(app)
    free = make_app(id="free")
    quotas.take_events(free, 1)
    quotas.take_read(free)
    assert told == [(app.id, 3, 0), (app.id, 0, 1)]


def test_nodes_that_share_windows_are_held_to_one_limit() -> None:
    clock = FakeClock()
    windows = MemoryRateLimiter(clock)
    one, other = AppQuotas(clock, NoJournal()), AppQuotas(clock, NoJournal())
    for quotas in (one, other):
        quotas.share(windows)
    app = make_app(max_backend_events_per_second=5, max_read_requests_per_second=1)
    one.take_events(app, 3)
    other.take_events(app, 2)
    for quotas in (one, other):
        with pytest.raises(RequestRejected, match=r"5 a second \(max_backend_events_per_second") as refused:
            quotas.take_events(app, 1)
        assert (refused.value.status, refused.value.retry_after) == (429, 1)
    one.take_read(app)
    with pytest.raises(RequestRejected, match="max_read_requests_per_second"):
        other.take_read(app)
    clock.advance(1)
    other.take_events(app, 5)
