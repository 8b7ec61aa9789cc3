"""Makes a `Tracing` that exports spans as the environment of OpenTelemetry says.

The library reads `OTEL_*` itself: sampling, resource, batches, and the endpoint and headers of the exporter.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from opentelemetry.environment_variables import OTEL_TRACES_EXPORTER
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
)
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from sockudo.errors import ConfigError
from sockudo.tracing.tracing import Tracing

_NAME: Final = "sockudo"
EXPORTERS: Final = ("otlp", "console", "none")
_PROTOCOL: Final = "http/protobuf"


def exporting(version: str) -> Tracing:
    """Return a tracing that exports what this version of the server does.

    Raises:
        ConfigError: the environment asks for an exporter or a protocol that there is not.
    """
    chosen = _exporter()
    provider = TracerProvider(resource=_resource(version), shutdown_on_exit=False)
    if chosen is not None:
        provider.add_span_processor(BatchSpanProcessor(chosen))

    # An endpoint that does not answer must hold up nobody for longer than is waited for this.
    ending = threading.Thread(target=provider.shutdown, daemon=True)

    def shut_down(seconds: float) -> None:
        if ending.ident is None:
            ending.start()
        ending.join(seconds)

    return Tracing(provider.get_tracer(_NAME, version), shut_down)


def _exporter() -> SpanExporter | None:
    # The library reads these two only where it sets everything up itself, tracers of the whole process included.
    name = os.environ.get(OTEL_TRACES_EXPORTER) or EXPORTERS[0]
    protocol = os.environ.get(OTEL_EXPORTER_OTLP_TRACES_PROTOCOL) or os.environ.get(OTEL_EXPORTER_OTLP_PROTOCOL)
    if name not in EXPORTERS:
        raise ConfigError([f"OTEL_TRACES_EXPORTER: {name!r} is unknown: set one of {', '.join(EXPORTERS)}"])
    if name == "none":
        return None
    if name == "console":
        return ConsoleSpanExporter()
    if protocol not in (None, "", _PROTOCOL):
        raise ConfigError([f"OTEL_EXPORTER_OTLP_PROTOCOL: {protocol!r} is not installed: set {_PROTOCOL}"])
    return OTLPSpanExporter()


def _resource(version: str) -> Resource:
    named = Resource.create({"service.version": version})
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come first.
    is_unknown = str(named.attributes.get(SERVICE_NAME, "unknown_service")).startswith("unknown_service")
    return named.merge(Resource({SERVICE_NAME: _NAME})) if is_unknown else named
