from __future__ import annotations

from sockudo.metrics.exposition import exposition
from sockudo.metrics.families import FAMILIES, ORIGINAL, Family, FamilyType
from sockudo.metrics.figures import Figures
from sockudo.timing.histogram import Histogram
from tests.support.scrapes import parsed
from tests.support.steps import finished

# Names and types as existing dashboards have them.
NAMES = """
connected gauge, new_connections_total counter, new_disconnections_total counter, connection_errors_total counter,
socket_received_bytes counter, socket_transmitted_bytes counter, ws_messages_received_total counter,
ws_messages_sent_total counter, http_received_bytes counter, http_transmitted_bytes counter,
http_calls_received_total counter, horizontal_adapter_resolve_time histogram,
horizontal_adapter_resolved_promises counter, horizontal_adapter_uncomplete_promises counter,
horizontal_adapter_sent_requests counter, horizontal_adapter_received_requests counter,
horizontal_adapter_received_responses counter, rate_limit_checks_total counter, rate_limit_triggered_total counter,
channel_subscriptions_total counter, channel_unsubscriptions_total counter, active_channels gauge,
broadcast_latency_ms histogram
"""


def everything() -> Figures:
    figures = Figures({})
    for family in FAMILIES.values():
        labels = [f"{label}-value" for label in family.labels]
        if family.kind is FamilyType.HISTOGRAM:
            figures.set_histogram(family.name, filled(family), *labels)
        else:
            figures.set(family.name, 7, *labels)
    return figures


def text(figures: Figures, prefix: str, port: int) -> bytes:
    return b"".join(finished(exposition(figures, prefix, port)))


def filled(family: Family) -> Histogram:
    histogram = Histogram(family.bounds)
    for value in (family.bounds[0], family.bounds[-1] + 1):
        histogram.add(value)
    return histogram


def test_the_families_of_sockudo_have_its_names_and_types() -> None:
    scrape = parsed(text(everything(), "sockudo_", 6001).decode())
    wanted = [one.split() for one in NAMES.strip().split(",")]
    assert [[one.name, one.kind.value] for one in ORIGINAL] == wanted
    assert [scrape.type_of(f"sockudo_{name}") for name, _ in wanted] == [kind for _, kind in wanted]
    assert all(len(family.labels) and family.labels[0] == "app_id" for family in ORIGINAL)


def test_every_sample_has_exactly_its_familys_labels_and_the_port() -> None:
    scrape = parsed(text(everything(), "p_", 6001).decode())
    for name, labels in scrape.samples:
        family = max(
            (one for one in FAMILIES.values() if name.startswith(f"p_{one.name}")), key=lambda one: len(one.name)
        )
        assert dict(labels).keys() - {"le"} == {*family.labels, "port"}
        assert dict(labels)["port"] == "6001"


def test_no_name_is_changed_by_the_library() -> None:
    names = parsed(text(everything(), "sockudo_", 6001).decode()).names()
    suffixes = ("_bucket", "_count", "_sum")
    wanted: set[str] = set()
    for family in FAMILIES.values():
        name = f"sockudo_{family.name}"
        wanted |= {f"{name}{one}" for one in suffixes} if family.kind is FamilyType.HISTOGRAM else {name}
    assert names == wanted


def test_buckets_are_cumulated_up_to_infinity() -> None:
    scrape = parsed(text(everything(), "", 1).decode())
    assert [scrape.value("broadcast_latency_ms_bucket", le=bound) for bound in ("0.5", "5000", "+Inf")] == [1, 1, 2]
    assert (scrape.value("broadcast_latency_ms_count"), scrape.value("broadcast_latency_ms_sum")) == (2, 5001.5)


def test_values_of_labels_may_be_any_text() -> None:
    figures = Figures({})
    figures.set("connection_errors_total", 1, 'a"b\\c\nd', "é")
    (line,) = (one for one in text(figures, "", 1).decode().splitlines() if not one.startswith("#"))
    assert line == r'connection_errors_total{app_id="a\"b\\c\nd",error_type="é",port="1"} 1.0'


def test_samples_of_another_version_are_left_out() -> None:
    figures = Figures({})
    figures.set("connected", 1, "1", "label of tomorrow")
    figures.set("event_loop_lag_seconds", 1, "0")
    figures.set_histogram("flush_batch_sockets", Histogram((1.0,)), "0")
    figures.set("workers", 2)
    assert parsed(text(figures, "", 1).decode()).names() == {"workers"}


def test_families_without_samples_are_left_out() -> None:
    assert text(Figures({}), "sockudo_", 6001) == b""
