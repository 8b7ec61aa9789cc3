from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from sockudo.tracing.tracing import TRACEPARENT, Role, Tracing, context_of, headers_of

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Tracing:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider.get_tracer("test"))


def test_a_context_is_handed_on_as_it_came() -> None:
    context = context_of({TRACEPARENT: GIVEN, "tracestate": "a=b"})
    assert context is not None
    assert headers_of(context) == {TRACEPARENT: GIVEN, "tracestate": "a=b"}


def test_nothing_is_carried_outside_of_spans(tracing: Tracing) -> None:
    assert tracing.carried() is None
    with tracing.span("one", Role.INTERNAL, context_of({TRACEPARENT: GIVEN})):
        carried = tracing.carried()
        assert carried is not None
        assert carried.startswith(GIVEN[:35])
        with tracing.span("two", Role.INTERNAL, tracing.active):
            assert tracing.carried() != carried
        assert tracing.carried() == carried
    assert tracing.active is None


def test_what_is_not_sampled_is_not_carried() -> None:
    tracing = Tracing(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False).get_tracer("test"))
    with tracing.span("one", Role.INTERNAL, None):
        assert tracing.carried() is None


def test_a_problem_ends_a_span_without_its_text(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="hush"), tracing.span("one", Role.INTERNAL, None):
        raise ValueError("hush")
    (span,) = exporter.get_finished_spans()
    assert span.attributes == {"error.type": "ValueError"}
    assert "hush" not in span.to_json()
    assert tracing.active is None
