from __future__ import annotations

from structlog.testing import capture_logs

from sockudo.cluster.counters import ClusterCounters
from sockudo.cluster.refusals import Refusals
from tests.fakes.clock import FakeClock


def test_each_refusal_is_counted_and_told_once_a_minute() -> None:
    clock, counters = FakeClock(), ClusterCounters()
    refusals = Refusals(clock, counters)
    with capture_logs() as logs:
        for _ in range(5):
            refusals.misunderstood("why", "node")
            refusals.overflowed("node")
            refusals.too_many_nodes(1024, "node")
            refusals.failed(ValueError("x"))
        clock.advance(61)
        refusals.misunderstood("another why", "node")
    assert (counters.misunderstood, counters.overflowed, counters.failed) == (6, 5, 5)
    assert len(logs) == 5
    assert (logs[0]["reason"], logs[0]["times"]) == ("why", 1)
    assert logs[2]["limit"] == 1024
    assert (logs[4]["reason"], logs[4]["times"]) == ("another why", 5)
