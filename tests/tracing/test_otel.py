"""Where spans go: by the variables that OpenTelemetry has for every program."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sockudo.errors import ConfigError
from sockudo.tracing.otel import exporting
from sockudo.tracing.tracing import Role
from tests.clients.client import ApiClient
from tests.servers.server import clean_environ, document, server_process

ON = {"TRACING_ENABLED": "true"}
_BY_RATIO = "parentbased_traceidratio"


async def test_a_collector_gets_a_servers_spans_with_its_name(tmp_path: Path) -> None:
    requests: list[tuple[str, str, ExportTraceServiceRequest]] = []

    async def take(request: web.Request) -> web.Response:
        spans = ExportTraceServiceRequest.FromString(await request.read())
        requests.append((request.path, request.headers.get("x-token", ""), spans))
        return web.Response()

    application = web.Application()
    application.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    environ = {**ON, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_HEADERS": "x-token=t0ken"}
    starting = server_process(tmp_path, environ=environ)
    server = await asyncio.to_thread(starting.__enter__)
    try:
        api = ApiClient(server.port)
        assert (await api.post("/events", {"name": "e", "channel": "a", "data": "x"})).status == 200
        server.send_signal()
        # What is left goes out before the server ends.
        assert await server.exit_status() == 0
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)
        await runner.cleanup()
    ((path, token, told),) = requests
    assert (path, token) == ("/v1/traces", "t0ken")
    about = {one.key: one.value.string_value for one in told.resource_spans[0].resource.attributes}
    assert about["service.name"] == "sockudo"
    names = [span.name for part in told.resource_spans[0].scope_spans for span in part.spans]
    assert sorted(names) == ["publish"]


def test_a_collector_that_is_not_there_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    tracing = exporting("1")
    tracing.begin("publish", Role.SERVER, None).end()
    # Nobody waits for longer than this; and no thread is left to the tests that follow.
    for seconds in (0.01, 30):
        tracing.shut_down(seconds)


@pytest.mark.parametrize("exporter", ["none", "console"])
def test_other_exporters_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch, exporter: str) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", exporter)
    exporting("1").shut_down(5)


@pytest.mark.parametrize(
    ("sampler", "share", "is_taken"),
    [("", "", True), ("always_off", "", False), (_BY_RATIO, "0", False), (_BY_RATIO, "1", True)],
)
def test_the_sampler_that_is_named_takes_traces(
    monkeypatch: pytest.MonkeyPatch, sampler: str, share: str, is_taken: bool
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    for name, value in (("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", share)):
        if value:
            monkeypatch.setenv(name, value)
    tracing = exporting("1")
    with tracing.span("publish", Role.SERVER, None):
        assert (tracing.carried() is not None) is is_taken
    tracing.shut_down(5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
)
def test_an_exporter_that_there_is_not_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name}: '{value}'"):
        exporting("1")


_WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
sys.argv = ["sockudo", "serve", "--config", sys.argv[1]]
from sockudo.cli.main import main
main()
"""


def test_without_the_extra_switching_it_on_names_the_package(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(document(tracing={"enabled": True})))
    command = [sys.executable, "-c", _WITHOUT, str(config)]
    done = subprocess.run(command, env=clean_environ(), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "tracing.enabled needs opentelemetry" in done.stderr
    assert "pip install 'sockudo[otel]'" in done.stderr


def test_a_server_without_traces_imports_nothing_of_it(tmp_path: Path) -> None:
    code = "import sys, sockudo.assembly.run; print([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environ(), capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
