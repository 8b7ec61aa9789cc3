"""Begins spans of OpenTelemetry, and reads and writes their contexts in the text form of W3C.

Nothing here is told payloads, secrets, channels, socket ids or users: a span has the app, counts and outcomes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Final, Protocol, TypeAlias

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

Headers: TypeAlias = dict[str, str]
TraceContext: TypeAlias = Context

_w3c: Final = TraceContextTextMapPropagator()
_NOWHERE: Final = Context()


class Role(Enum):
    """The part that a span has in an exchange."""

    SERVER = SpanKind.SERVER
    CLIENT = SpanKind.CLIENT
    PRODUCER = SpanKind.PRODUCER
    CONSUMER = SpanKind.CONSUMER
    INTERNAL = SpanKind.INTERNAL


class Begun(Protocol):
    """A span that has begun. Its user ends it once."""

    @property
    def context(self) -> Context:
        """What its children are told."""
        ...

    def end(self, problem: BaseException | None = None) -> None:
        """End it; of a problem the kind alone is noted."""


class _Begun:
    def __init__(self, span: Span) -> None:
        self._span = span
        self.context = set_span_in_context(span, _NOWHERE)

    def end(self, problem: BaseException | None = None) -> None:
        if problem is not None:
            # Its text may repeat what a client has sent.
            self._span.set_status(Status(StatusCode.ERROR))
            self._span.set_attribute("error.type", type(problem).__name__)
        self._span.end()


class Tracing:
    """Begins spans.

    Args:
        shut_down: sends what has not been sent yet, within so many seconds.

    Attributes:
        active: the context of what is carried out at the moment, and None where that is not traced. Nothing that is
            synchronous can be interrupted, so one attribute is enough.
    """

    def __init__(self, tracer: Tracer, shut_down: Callable[[float], None] = lambda _: None) -> None:
        self.active: Context | None = None
        self.shut_down = shut_down
        self._tracer = tracer

    def begin(self, name: str, role: Role, parent: Context | None, /, **about: str | int) -> Begun:
        """Begin a span; `about` becomes its attributes, below `sockudo`."""
        attributes = {f"sockudo.{key}": value for key, value in about.items()}
        return _Begun(self._tracer.start_span(name, context=parent or _NOWHERE, kind=role.value, attributes=attributes))

    @contextmanager
    def span(self, name: str, role: Role, parent: Context | None, /, **about: str | int) -> Iterator[Begun]:
        """Trace what the block does, all of which happens at once."""
        begun = self.begin(name, role, parent, **about)
        try:
            with self.within(begun.context):
                yield begun
        except BaseException as problem:
            begun.end(problem)
            raise
        begun.end()

    @contextmanager
    def within(self, context: Context | None) -> Iterator[None]:
        """Carry out a block in a context."""
        before, self.active = self.active, context
        try:
            yield
        finally:
            self.active = before

    def carried(self) -> str | None:
        """Return the context of the moment for somebody else; None where there is none, or it is not sampled."""
        active = self.active
        if active is None or not get_current_span(active).get_span_context().trace_flags.sampled:
            return None
        return headers_of(active).get(TRACEPARENT)


def headers_of(context: Context) -> Headers:
    """Return the headers that hand a context on."""
    headers: Headers = {}
    _w3c.inject(headers, context)
    return headers


def context_of(headers: Mapping[str, str | None]) -> Context | None:
    """Return the context that headers have brought, or None where they have brought none that can be read."""
    given = {name: value for name, value in headers.items() if value is not None}
    if TRACEPARENT not in given:
        return None
    return _w3c.extract(given, _NOWHERE) or None
