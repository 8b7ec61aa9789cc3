"""A job of the webhook queue: an app, one of its webhooks, and the events for it.

A job names the app and the webhook only. Its URL, its headers and the secret of the app are looked up when it is
delivered, so that they are never stored, and a change of headers and secret takes effect at once. A webhook with
another URL is another webhook.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Annotated, Final

import msgspec

# Names of lanes have 512 bytes at most, and a character up to four; an id may be longer.
_LONGEST_ID: Final = 100


class Job(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Events for one endpoint.

    Attributes:
        app: id of the app.
        webhook: id of the webhook (see `apps.webhook.Webhook`).
        time_ms: when the first of the events happened, Unix milliseconds.
        events: a JSON list, as it goes into the body.
        trace: the `traceparent` of what caused the first of the events that was traced; None where none was.
    """

    app: str
    webhook: str
    time_ms: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    events: msgspec.Raw
    trace: str | None = None


class _Name(msgspec.Struct, gc=False):
    name: str


def lane_of(app_id: str, webhook_id: str) -> str:
    """Return the lane of the queue in which everything for one endpoint of an app waits."""
    if len(app_id) > _LONGEST_ID:
        app_id = f"#{blake2b(app_id.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
    return f"{app_id}/{webhook_id}"


def encode_job(app_id: str, webhook_id: str, time_ms: int, events: Iterable[bytes], trace: str | None = None) -> bytes:
    """Return a job as JSON."""
    events_text = msgspec.Raw(b"[%b]" % b",".join(events))
    return msgspec.json.encode(Job(app_id, webhook_id, time_ms, events_text, trace))


def decode_job(data: bytes) -> Job | None:
    """Return a job, or None for what is none."""
    try:
        return msgspec.json.decode(data, type=Job)
    except (ValueError, RecursionError):
        # ValueError: of msgspec. RecursionError: nested too deeply.
        return None


def event_names(job: Job) -> list[str]:
    """Return what the events of a job are called, in order; nothing where that cannot be read."""
    try:
        return [event.name for event in msgspec.json.decode(job.events, type=list[_Name])]
    except (ValueError, RecursionError):
        return []
