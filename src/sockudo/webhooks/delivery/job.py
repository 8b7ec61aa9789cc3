"""A job of the webhook queue: an app, one of its webhooks, and the events for it.

A job names the app and the webhook only. The sender looks up the URL, the headers and the app's secret at delivery, so
that no queue stores them, and a change of headers or secret takes effect at once. A webhook with another URL is another
webhook.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Annotated, Final

import msgspec

# The longest app id in the name of a lane: names have 512 bytes at most, and a character up to four.
_LONGEST_ID: Final = 100


class Job(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Events for one endpoint.

    Attributes:
        app: id of the app.
        webhook: id of the webhook (see `apps.webhook.Webhook`).
        time_ms: when the first of the events happened, Unix milliseconds.
        events: a JSON list, as the body has it.
        trace: the `traceparent` of the cause of the first traced event; None without one.
    """

    app: str
    webhook: str
    time_ms: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    events: msgspec.Raw
    trace: str | None = None


class _Name(msgspec.Struct, gc=False):
    name: str


def lane_of(app_id: str, webhook_id: str) -> str:
    """Return the lane of the queue for one endpoint of an app."""
    if len(app_id) > _LONGEST_ID:
        app_id = f"#{blake2b(app_id.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
    return f"{app_id}/{webhook_id}"


def encode_job(app_id: str, webhook_id: str, time_ms: int, events: Iterable[bytes], trace: str | None = None) -> bytes:
    """Return a job as JSON."""
    events_text = msgspec.Raw(b"[%b]" % b",".join(events))
    return msgspec.json.encode(Job(app_id, webhook_id, time_ms, events_text, trace))


def decode_job(data: bytes) -> Job | None:
    """Return a job, or None if the bytes are not a job."""
    try:
        return msgspec.json.decode(data, type=Job)
    except (ValueError, RecursionError):
        # ValueError: of msgspec. RecursionError: nested too deeply.
        return None


def event_names(job: Job) -> list[str]:
    """Return the names of a job's events, in order; an empty list if they cannot be read."""
    try:
        return [event.name for event in msgspec.json.decode(job.events, type=list[_Name])]
    except (ValueError, RecursionError):
        return []
