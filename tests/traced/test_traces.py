"""Traces of what a server does, over real buses, as a collector gets them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

from sockudo.assembly.cluster import bus_from_settings
from sockudo.assembly.makers.plain import PLAIN, Makers
from sockudo.assembly.makers.traced import TracedMakers
from sockudo.tracing.tracing import Tracing
from tests.clients.client import Answer, ApiClient, PusherClient, http
from tests.fakes.memory_bus import MemoryBus
from tests.servers.server import SECRET, RunningServer, app, running_server, settings
from tests.servers.topologies import adapter_settings
from tests.servers.webhook_receiver import webhook_receiver
from tests.support.waiting import eventually

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Traced:
    """A node's spans."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.makers = TracedMakers(Tracing(provider.get_tracer("test")))

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def names(self) -> list[str]:
        return sorted(span.name for span in self.spans)

    def one(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def id_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def typing(channel: str) -> dict[str, Any]:
    return {"event": "client-typing", "channel": channel, "data": {"text": "a payload"}}


async def publish(port: int, channel: str, headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
    body = json.dumps({"name": "event", "channel": channel, "data": "a payload", **more}).encode()
    return await http(port, "POST", ApiClient(port).target("POST", "/events", body), body, headers)


@contextlib.asynccontextmanager
async def two_nodes(
    request: pytest.FixtureRequest, driver: str, makers: tuple[Makers, Makers], **changes: Any
) -> AsyncIterator[tuple[RunningServer, RunningServer]]:
    memory = MemoryBus()
    adapter = {} if driver == "memory" else adapter_settings(driver, request)
    async with contextlib.AsyncExitStack() as stack:
        nodes = []
        for each in makers:
            bus = memory.adapter() if driver == "memory" else bus_from_settings(settings(adapter=adapter))[0]
            nodes.append(await stack.enter_async_context(running_server(adapter=bus, makers=each, **changes)))
        await eventually(lambda: _others(nodes), [1, 1])
        yield nodes[0], nodes[1]


async def _others(nodes: list[RunningServer]) -> list[int]:
    return [len(node.assembly.node.peers.node_ids()) for node in nodes]


@pytest.mark.parametrize("driver", ["redis", "nats"])
@pytest.mark.parametrize("channel", ["news", "cache-news"])
async def test_a_trace_goes_from_request_over_bus_to_delivery(
    request: pytest.FixtureRequest, driver: str, channel: str
) -> None:
    one, other = Traced(), Traced()
    async with (
        two_nodes(request, driver, (one.makers, other.makers)) as (first, second),
        PusherClient(second.port) as client,
    ):
        await client.subscribe(channel)
        if channel.startswith("cache"):
            await client.expect("pusher:cache_miss")
        assert (await publish(first.port, channel, {"traceparent": TRACEPARENT})).status == 200
        assert (await client.expect("event"))["data"] == "a payload"
    published, sent, received = one.one("publish"), one.one("bus send"), other.one("bus receive")
    assert {trace_of(span) for span in (*one.spans, *other.spans)} == {TRACE}
    assert parent_of(published) == PARENT
    assert parent_of(sent) == id_of(published)
    assert parent_of(received) == id_of(sent)
    assert parent_of(other.one("deliver")) == id_of(received)
    assert published.attributes == {"sockudo.app": "1", "sockudo.events": 1, "sockudo.channels": 1}


@pytest.mark.parametrize("driver", ["memory", "redis"])
@pytest.mark.parametrize("channel", ["news", "cache-news"])
async def test_an_event_that_excludes_a_socket_keeps_its_trace(
    request: pytest.FixtureRequest, driver: str, channel: str
) -> None:
    one, other = Traced(), Traced()
    async with (
        two_nodes(request, driver, (one.makers, other.makers)) as (first, second),
        PusherClient(second.port) as excluded,
        PusherClient(second.port) as client,
    ):
        for each in (excluded, client):
            await each.subscribe(channel)
            if channel.startswith("cache"):
                await each.expect("pusher:cache_miss")
        headers = {"traceparent": TRACEPARENT}
        assert (await publish(first.port, channel, headers, socket_id=excluded.socket_id)).status == 200
        assert (await client.expect("event"))["data"] == "a payload"
        await excluded.expect_nothing()
        for each in (excluded, client):
            assert each.socket_id not in "".join(span.to_json() for span in (*one.spans, *other.spans))
    assert {trace_of(span) for span in (*one.spans, *other.spans)} == {TRACE}
    assert parent_of(one.one("bus send")) == id_of(one.one("publish"))
    assert parent_of(other.one("bus receive")) == id_of(one.one("bus send"))
    assert parent_of(other.one("deliver")) == id_of(other.one("bus receive"))


@pytest.mark.parametrize("driver", ["memory", "redis"])
async def test_a_client_event_keeps_its_trace_over_the_bus(request: pytest.FixtureRequest, driver: str) -> None:
    one, other = Traced(), Traced()
    async with (
        two_nodes(request, driver, (one.makers, other.makers)) as (first, second),
        PusherClient(first.port) as sender,
        PusherClient(second.port) as client,
    ):
        for each in (sender, client):
            await each.subscribe("private-room")
        await sender.send(typing("private-room"))
        await client.expect("client-typing")
        await sender.expect_nothing()
    cause, sent, received = one.one("client event"), one.one("bus send"), other.one("bus receive")
    assert parent_of(sent) == id_of(cause)
    assert parent_of(received) == id_of(sent)
    assert parent_of(other.one("deliver")) == id_of(received)
    assert len({trace_of(span) for span in (*one.spans, *other.spans)}) == 1


async def test_nodes_with_and_without_traces_understand_each_other(request: pytest.FixtureRequest) -> None:
    traced = Traced()
    async with (
        two_nodes(request, "redis", (traced.makers, PLAIN)) as (first, second),
        PusherClient(first.port) as here,
        PusherClient(second.port) as there,
    ):
        for client in (here, there):
            await client.subscribe("news")
        for port in (first.port, second.port):
            await publish(port, "news", {"traceparent": TRACEPARENT})
            for client in (here, there):
                assert (await client.expect("event"))["data"] == "a payload"
        # A socket that must not get an event is kept from it by either.
        for port, client, other in ((first.port, there, here), (second.port, here, there)):
            await publish(port, "news", {"traceparent": TRACEPARENT}, socket_id=client.socket_id)
            assert (await other.expect("event"))["data"] == "a payload"
            await client.expect_nothing()
    assert traced.names() == ["bus send"] * 2 + ["deliver"] * 2 + ["publish"] * 2


async def test_a_client_event_and_its_webhook_are_one_trace() -> None:
    traced = Traced()
    async with webhook_receiver() as receiver:
        hook = {"url": receiver.url, "event_types": ["client_event"], "headers": {"Traceparent": "mine"}}
        limited = app(enable_client_messages=True, webhooks=[hook])
        async with running_server(limited, makers=traced.makers) as server, PusherClient(server.port) as client:
            await client.subscribe("presence-room", {"user_id": "ann-the-user"})
            await client.send(typing("presence-room"))
            await receiver.expect("client_event presence-room ann-the-user")
            await eventually(lambda: _names(traced), ["client event", "webhook"])
        (posted,) = receiver.requests
        posted.check()
    cause, webhook = traced.one("client event"), traced.one("webhook")
    assert parent_of(webhook) == id_of(cause)
    assert posted.headers["traceparent"][:52] == f"00-{trace_of(cause)}-{id_of(webhook)}"


async def _names(traced: Traced) -> list[str]:
    return traced.names()


async def test_a_failing_webhook_is_a_span_with_the_problems_kind() -> None:
    traced = Traced()
    async with webhook_receiver() as receiver:
        receiver.answer = lambda _: 500
        hook = {"url": receiver.url, "event_types": ["channel_occupied"]}
        changed = app(webhooks=[hook])
        async with running_server(changed, makers=traced.makers) as server, PusherClient(server.port) as client:
            await client.subscribe("news")
            await receiver.until(lambda: len(receiver.requests) == 1)
            await eventually(lambda: _names(traced), ["webhook"])
    span = traced.spans[0]
    assert span.attributes == {"sockudo.app": "1", "error.type": "PostError"}
    assert (span.status.is_ok, span.status.description, span.parent) == (False, None, None)


async def test_spans_have_no_payload_no_secret_and_no_user() -> None:
    traced = Traced()
    limited = app(enable_client_messages=True, enable_user_authentication=True)
    async with running_server(limited, makers=traced.makers) as server, PusherClient(server.port) as client:
        await client.subscribe("presence-hush-channel", {"user_id": "ann-the-user"})
        await publish(server.port, "presence-hush-channel", {"traceparent": TRACEPARENT})
        await client.expect("event")
        await publish(server.port, "#server-to-user-ann-the-user")
        await client.send(typing("presence-hush-channel"))
        await client.send(typing("private-hush-elsewhere"))
        await client.receive()
        told = "".join(span.to_json() for span in traced.spans)
        assert len(traced.spans) >= 5
        for hidden in ("a payload", SECRET, "ann-the-user", "hush", client.socket_id, "client-typing"):
            assert hidden not in told


async def test_a_trace_that_is_not_sampled_leaves_no_span() -> None:
    traced = Traced(ALWAYS_OFF)
    async with running_server(makers=traced.makers) as server, PusherClient(server.port) as client:
        await client.subscribe("news")
        await publish(server.port, "news", {"traceparent": TRACEPARENT})
        await client.expect("event")
    assert traced.spans == []


@pytest.mark.parametrize("header", ["", "nonsense", "00-0-0-01", f"ff-{TRACE}-{PARENT}-01", "00-" + "0" * 32 + "-x-01"])
async def test_a_context_that_cannot_be_read_begins_a_new_trace(header: str) -> None:
    traced = Traced()
    async with running_server(makers=traced.makers) as server:
        assert (await publish(server.port, "news", {"traceparent": header})).status == 200
    assert traced.one("publish").parent is None


async def test_a_long_publish_stays_in_its_trace_over_many_turns() -> None:
    traced = Traced()
    roomy = {"max_buffer_kb": 20_000}
    async with running_server(makers=traced.makers, websocket=roomy) as server, PusherClient(server.port) as client:
        channels = [f"c{number}" for number in range(90)]
        for channel in channels:
            await client.subscribe(channel)
        data = "x" * 30_000
        body = json.dumps({"name": "event", "channels": channels, "data": data}).encode()
        target = ApiClient(server.port).target("POST", "/events", body)
        answer = await http(server.port, "POST", target, body, {"traceparent": TRACEPARENT})
        assert answer.status == 200
        for _ in channels:
            await client.expect("event")
    assert traced.names() == ["deliver"] * 90 + ["publish"]
    assert {parent_of(span) for span in traced.spans if span.name == "deliver"} == {id_of(traced.one("publish"))}


async def test_a_server_without_traces_sends_what_it_always_sent(request: pytest.FixtureRequest) -> None:
    sent: list[bytes] = []
    async with two_nodes(request, "redis", (PLAIN, PLAIN)) as (first, second), PusherClient(second.port) as client:
        await client.subscribe("news")
        adapter = first.assembly.node.peers._adapter  # type: ignore[attr-defined]  # the bytes on the wire are the claim
        publish_plainly = adapter.publish

        def publish_and_note(topic: str, data: bytes) -> None:
            sent.append(data)
            publish_plainly(topic, data)

        adapter.publish = publish_and_note
        await publish(first.port, "news", {"traceparent": TRACEPARENT})
        await client.expect("event")
    (event,) = [data for data in sent if b"a payload" in data]
    assert (event[0], event[9]) == (1, 0)
    assert TRACE.encode() not in event
