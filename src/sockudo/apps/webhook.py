"""A webhook of an app: its URL or function, the events that it wants, and the filter on their channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from sockudo.apps.patterns import Pattern
from sockudo.pusher.channels import ChannelKind, kind_of


@dataclass(frozen=True, slots=True)
class Function:
    """An AWS Lambda function.

    Attributes:
        invocation_type: `Event` (the server does not wait for it) or `RequestResponse`.
        qualifier: a version or an alias, or None.
        endpoint_url: another endpoint than that of AWS, or None.
    """

    name: str
    region: str = "us-east-1"
    invocation_type: str = "Event"
    qualifier: str | None = None
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelFilter:
    """Conditions on the channel of an event; all that are given must hold."""

    channel_type: str | None = None
    prefix: str = ""
    suffix: str = ""
    pattern: Pattern | None = None

    def matches(self, channel: str) -> bool:
        """Return whether a channel meets every condition; the pattern may match anywhere in its name."""
        return (
            channel.startswith(self.prefix)
            and channel.endswith(self.suffix)
            and (self.channel_type is None or is_of_type(kind_of(channel), self.channel_type))
            and (self.pattern is None or self.pattern.is_in(channel))
        )


def is_of_type(kind: ChannelKind, channel_type: str) -> bool:
    """Return whether a kind of channel is what a filter calls `channel_type`.

    `public` and `private` are the plain kinds only; the others are every channel with that property, so that a
    `presence-cache-` channel is both `presence` and `cache`.
    """
    match channel_type:
        case "presence":
            return kind.presence
        case "encrypted":
            return kind.encrypted
        case "cache":
            return kind.cache
        case _:
            return kind.label == channel_type


@dataclass(frozen=True, slots=True, eq=False)
class Webhook:
    """One endpoint of an app and the events that it wants.

    Attributes:
        id: names the endpoint: the same for the same URL or function, in every process and after every restart. Jobs
            and logs name only the id, because a URL and headers often hold credentials.
        url: where events are posted; None if there is a function.
        headers: sent with every request.
    """

    url: str | None = field(repr=False)
    event_types: frozenset[str]
    function: Function | None = None
    filter: ChannelFilter | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    id: str = field(init=False)

    def __post_init__(self) -> None:
        target = self.url if self.function is None else f"lambda:{self.function!r}"
        object.__setattr__(self, "id", blake2b(str(target).encode(), digest_size=8).hexdigest())

    def wants(self, event: str, channel: str | None) -> bool:
        """Return whether an event of a channel is sent; an event without a channel (None) passes no filter."""
        if event not in self.event_types:
            return False
        return self.filter is None or (channel is not None and self.filter.matches(channel))


def endpoints(webhooks: Iterable[Webhook], event: str, channel: str | None) -> Iterator[Webhook]:
    """Yield the webhooks that an event goes to; of several with the same endpoint, the first that wants it."""
    seen: list[str] = []
    for webhook in webhooks:
        if webhook.id not in seen and webhook.wants(event, channel):
            seen.append(webhook.id)
            yield webhook


def is_wanted(webhooks: Iterable[Webhook], event: str, channel: str | None) -> bool:
    """Return whether any webhook wants an event."""
    return any(webhook.wants(event, channel) for webhook in webhooks)
