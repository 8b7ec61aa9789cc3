from __future__ import annotations

import json

from sockudo.queues.handling import problem_with
from sockudo.webhooks.delivery.job import decode_job, encode_job, event_names, lane_of


def test_a_job_is_json_with_app_webhook_and_events() -> None:
    data = encode_job("app", "hook", 7, [b'{"name":"a"}', b'{"name":"b","x":"\xc3\xa9"}'])
    assert json.loads(data) == {
        "app": "app",
        "webhook": "hook",
        "time_ms": 7,
        "events": [{"name": "a"}, {"name": "b", "x": "é"}],
    }
    job = decode_job(data)
    assert job is not None
    assert (job.app, job.webhook, job.time_ms, event_names(job)) == ("app", "hook", 7, ["a", "b"])
    assert bytes(job.events) == b'[{"name":"a"},{"name":"b","x":"\xc3\xa9"}]'


def test_what_is_no_job_is_none() -> None:
    for data in (b"", b"\xff", b"[]", b"{}", b'{"app":1}', b"[" * 100_000):
        assert decode_job(data) is None
    strange = decode_job(b'{"app":"a","webhook":"h","time_ms":1,"events":[{"name":1}]}')
    assert strange is not None
    assert event_names(strange) == []


def test_each_endpoint_of_an_app_has_a_lane() -> None:
    assert lane_of("a", "h") == "a/h"


def test_an_id_of_any_length_has_an_acceptable_lane() -> None:
    long_ids = ["x" * 600, "x" * 601, "\U0001f600" * 255, "\ud800" * 300]
    lanes = {lane_of(app_id, "0123456789abcdef") for app_id in long_ids}
    assert len(lanes) == len(long_ids)
    assert all(problem_with(lane, b"", 1) is None for lane in (*lanes, lane_of("\U0001f600" * 100, "0123456789abcdef")))


def test_a_job_has_a_trace_only_with_a_traced_cause() -> None:
    plain, traced = encode_job("app", "hook", 7, []), encode_job("app", "hook", 7, [], "00-a-b-01")
    assert b"trace" not in plain
    for data, trace in ((plain, None), (traced, "00-a-b-01")):
        job = decode_job(data)
        assert job is not None
        assert job.trace == trace
