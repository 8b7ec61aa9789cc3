"""Jobs as messages: whatever they are, SQS takes them and they come back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.queues.sqs.records import MAX_JOB_BYTES, MAX_MESSAGE_BYTES, UNREADABLE, new_job, read, write
from tests.support.properties import THOROUGH

# What the API allows in a message.
ALLOWED = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")


@THOROUGH
@given(lane=st.text(), body=st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_every_job_becomes_an_allowed_text_and_comes_back(lane: str, body: bytes) -> None:
    job = new_job(lane, body, 1700000000.25)
    text = write(job)
    assert ALLOWED.fullmatch(text)
    assert read(text, "m", 5.0) == job


def test_a_json_job_is_readable_in_the_message() -> None:
    line, _, body = write(new_job("app:hook", b'{"events":[]}', 1.0)).partition("\n")
    assert '"lane": "app:hook"' in line
    assert body == '{"events":[]}'


@given(reason=st.text(min_size=500, max_size=500))
@THOROUGH
def test_the_longest_job_fits_into_a_message_with_its_details(reason: str) -> None:
    job = new_job("\0" * 512, b"\xff" * MAX_JOB_BYTES, 1700000000.123456)
    failed = job.as_failed(reason, 1700000000.123456, 10**9)
    text = write(failed)
    assert len(text.encode()) <= MAX_MESSAGE_BYTES
    assert read(text, "m", 5.0) == failed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        '{"id":"1"}\nbody',
        '{"id":"1","lane":2,"accepted_at":3}\nbody',
        '{"id":"1","lane":"a","accepted_at":3,"base64":true}\n*',
        '{"app_key":"k","app_id":"i","app_secret":"s","payload":{"time_ms":1,"events":[]},"original_signature":""}',
        "[" * 100_000,
    ],
)
def test_what_is_no_job_is_told_apart(text: str) -> None:
    record = read(text, "m", 5.0)
    assert (record.is_readable, record.id, record.lane, record.body) == (False, "m", "", text.encode())
    assert record.as_failed(UNREADABLE, 6.0, 1).as_failed_job().reason == "it was no job of this queue"


@pytest.mark.parametrize("moment", ["NaN", "Infinity", "-1", "1e300"])
def test_a_job_of_an_impossible_time_is_not_readable(moment: str) -> None:
    text = f'{{"id":"i","lane":"l","accepted_at":{moment}}}\nbody'
    assert not read(text, "m", 5.0).is_readable
