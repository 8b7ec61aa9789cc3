"""What a scrape of one process says, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sockudo.metrics import scrapes
from sockudo.metrics.families import ORIGINAL, FamilyType
from sockudo.metrics.listener import MOST_SOCKETS, MetricsListener
from tests.clients.client import ApiClient, PusherClient, http
from tests.clients.raw import HttpConnection
from tests.servers.ports import free_port
from tests.servers.server import APP_ID, RunningServer, app, running_server
from tests.support.scrapes import Scrape, ask, scrape
from tests.support.waiting import eventually

TOKEN = "s3cret-token"
LIMITED = {"max_requests": 100, "window_seconds": 60}


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrapes, "FRESH", 0.0)


@asynccontextmanager
async def serving(*apps: dict[str, Any], token: str | None = None, **changes: Any) -> AsyncIterator[RunningServer]:
    metrics = {"enabled": True, "host": "127.0.0.1", "port": 0, "token": token}
    async with running_server(*apps, metrics=metrics, **changes) as server:
        yield server


def metrics_port(server: RunningServer) -> int:
    assert server.assembly.metrics is not None
    return server.assembly.metrics.listener.port


async def scraped(server: RunningServer) -> Scrape:
    return await scrape(metrics_port(server))


async def test_traffic_of_an_app_is_counted_once_for_each_recipient() -> None:
    async with serving() as server:
        api = ApiClient(server.port)
        async with PusherClient(server.port) as first, PusherClient(server.port) as second:
            for client in (first, second):
                await client.subscribe("presence-room", {"user_id": client.socket_id})
            await first.expect("pusher_internal:member_added")
            before = await scraped(server)
            assert (await api.trigger("presence-room", "x" * 100)).status == 200
            for client in (first, second):
                await client.expect("event")
            await first.trigger("presence-room", "client-typing", {"on": True})
            await second.expect("client-typing")
            after = await scraped(server)
    of = {"app_id": APP_ID, "port": str(server.port)}
    assert after.value("sockudo_connected", **of) == after.value("sockudo_new_connections_total", **of) == 2
    assert after.value("sockudo_ws_messages_sent_total", **of) - before.value("sockudo_ws_messages_sent_total") == 3
    sent = after.value("sockudo_socket_transmitted_bytes", **of) - before.value("sockudo_socket_transmitted_bytes")
    assert 200 < sent < 800
    assert after.value("sockudo_ws_messages_received_total", **of) == 3
    assert after.value("sockudo_socket_received_bytes", **of) > 100
    assert after.value("sockudo_http_calls_received_total", **of) == 1
    assert after.value("sockudo_http_received_bytes", **of) > 100
    assert after.value("sockudo_http_transmitted_bytes", **of) == 2
    assert after.value("sockudo_active_channels", channel_type="presence", **of) == 1
    assert after.value("sockudo_channel_subscriptions_total", channel_type="presence", **of) == 2
    buckets = {"channel_type": "presence", "recipient_count_bucket": "xs"}
    assert after.value("sockudo_broadcast_latency_ms_count", **buckets, **of) == 1
    assert after.value("sockudo_rate_limit_checks_total", limiter_type="client_events", **of) == 1
    assert after.value("sockudo_rate_limit_triggered_total", limiter_type="client_events", **of) == 0


async def test_what_ended_is_counted_and_gauges_return_to_zero() -> None:
    async with serving() as server:
        async with PusherClient(server.port) as client:
            await client.subscribe("news")

        async def left() -> list[float]:
            one = await scraped(server)
            names = ("connected", "new_disconnections_total", "active_channels", "channel_unsubscriptions_total")
            return [one.value(f"sockudo_{name}", app_id=APP_ID) for name in names]

        await eventually(left, [0, 1, 0, 1])


async def test_refusals_are_counted_by_kind_never_by_peers_input() -> None:
    apps = (app(), app(id="2", key="off", enabled=False), app(id="3", key="far", allowed_origins=["https://a.io"]))
    async with serving(*apps) as server:
        for key, origin in (("made-up", None), ("off", None), ("far", "https://b.io")):
            await PusherClient(server.port, key, origin=origin).expect_refusal()
        async with PusherClient(server.port) as client:
            await client.send_text("{")
            await client.expect("pusher:error")
            await client.send({"event": "pusher:subscribe", "data": {"channel": "private-x", "auth": "app-key:00"}})
            await client.expect("pusher:subscription_error")
            await client.expect("pusher:error")
            await client.send_text('{"channel":"x","data":{}}')
            await client.expect("pusher:error")
            await client.send_text('{"event":null}')
            await client.expect("pusher:error")
            data = "no JSON object"
            auth = client.auth("presence-x", data)
            await client.send(
                {"event": "pusher:subscribe", "data": {"channel": "presence-x", "auth": auth, "channel_data": data}}
            )
            await client.expect("pusher:subscription_error")
        assert (await http(server.port, "GET", "/app/app-key", headers={"Upgrade": "websocket"})).status == 400
        assert (await ApiClient(server.port, secret="wrong").get("/channels")).status == 401
        one = await scraped(server)
    errors = {
        (dict(labels)["app_id"], dict(labels)["error_type"]): value
        for (name, labels), value in one.samples.items()
        if name == "sockudo_connection_errors_total"
    }
    assert errors == {
        ("unknown", "app_not_found"): 1,
        ("2", "app_disabled"): 1,
        ("3", "origin_not_allowed"): 1,
        (APP_ID, "message_parse_error"): 1,
        (APP_ID, "missing_event_name"): 2,
        (APP_ID, "authentication_error"): 1,
        (APP_ID, "authentication_failed"): 1,
    }
    codes = {code: one.value("sockudo_refusals_total", code=code) for code in ("4001", "4003", "4009", "401")}
    assert codes == {"4001": 1, "4003": 1, "4009": 1, "401": 2}
    assert "made-up" not in one.text
    assert one.value("sockudo_http_calls_received_total", app_id=APP_ID) == 0


async def test_limits_by_address_are_counted_by_what_they_are_for() -> None:
    limits = {"enabled": True, "api_rate_limit": LIMITED | {"max_requests": 2}, "websocket_rate_limit": LIMITED}
    async with serving(rate_limiter=limits) as server:
        answers = [(await ApiClient(server.port).get("/channels")).status for _ in range(3)]
        async with PusherClient(server.port):
            pass
        assert (await http(server.port, "GET", "/up")).status == 200
        one = await scraped(server)
    assert answers == [200, 200, 429]
    of = {"app_id": "global", "limiter_type": "api_rate_limit", "request_context": "http_api"}
    assert one.value("sockudo_rate_limit_checks_total", **of) == 3
    assert one.value("sockudo_rate_limit_triggered_total", **of) == 1
    upgrades = {"limiter_type": "websocket_rate_limit", "request_context": "websocket_upgrade"}
    assert one.value("sockudo_rate_limit_checks_total", **upgrades) == 1
    assert one.value("sockudo_http_calls_received_total", app_id="system") == 1


async def test_sockets_are_shown_by_state_and_the_loops_lag() -> None:
    async with serving() as server, PusherClient(server.port):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

        async def states() -> list[float]:
            one = await scraped(server)
            return [one.value("sockudo_sockets", state=state) for state in ("http", "websocket", "closing")]

        await eventually(states, [1, 1, 0])

        async def is_measured() -> bool:
            return (await scraped(server)).value("sockudo_event_loop_lag_seconds_count") > 0

        await eventually(is_measured)
        one = await scraped(server)
        writer.close()
        assert reader is not None
    assert one.value("sockudo_flush_batch_sockets_count") >= 0
    assert (one.value("sockudo_workers"), one.value("sockudo_outbox_bytes")) == (1, 0)


async def test_only_get_metrics_is_answered_on_the_metrics_port() -> None:
    async with serving() as server:
        port = metrics_port(server)
        good = await ask(port)
        assert (good.status, good.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        head = await ask(port, "HEAD")
        assert (head.status, head.body) == (200, b"")
        answers = [
            await ask(port, path=path) for path in ("/", "/up", "/metrics/x", "/apps/1/channels", "/app/app-key")
        ]
        assert {answer.status for answer in answers} == {404}
        assert (await ask(port, "POST")).status == 405
        assert (await http(server.port, "GET", "/metrics")).status == 404


async def test_one_connection_serves_one_scrape_after_the_other() -> None:
    async with serving() as server, HttpConnection(metrics_port(server)) as connection:
        for _ in range(3):
            await connection.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await connection.answer()
            assert (answer.status, b"sockudo_workers" in answer.body) == (200, True)


async def test_a_scraper_without_the_token_gets_nothing() -> None:
    async with serving(token=TOKEN) as server:
        port = metrics_port(server)
        wrong = [None, "", "wrong", TOKEN[:-1], f"{TOKEN}x", "é"]
        refused = [await ask(port, token=token) for token in wrong]
        assert {answer.status for answer in refused} == {401}
        assert all(TOKEN.encode() not in answer.body and b"sockudo_" not in answer.body for answer in refused)
        assert refused[0].headers["www-authenticate"] == "Bearer"
        assert (await scrape(port, TOKEN)).value("sockudo_workers") == 1


async def asked_for_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Make a request that is answered at once, and return the answer; empty where the socket is closed."""
    writer.write(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        return head + await reader.readuntil(b"}")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def test_a_full_table_of_idle_sockets_keeps_no_scraper_out() -> None:
    async with serving() as server:
        port = metrics_port(server)
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_SOCKETS)]
        for pair in idle:
            assert await asked_for_nothing(*pair)
        oldest, second = idle[:2]
        assert await asked_for_nothing(*oldest)
        assert (await ask(port)).status == 200
        # Who has been silent for longest gives way: not the oldest, who has spoken again.
        assert await second[0].read() == b""
        assert await asked_for_nothing(*oldest)
        for _ in range(2 * MOST_SOCKETS):
            assert (await ask(port)).status == 200
        async with PusherClient(server.port):
            pass
        for _, writer in idle:
            writer.close()


async def test_a_scrape_under_way_never_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as server:
        assert server.assembly.metrics is not None
        hold = asyncio.Event()
        listener = server.assembly.metrics.listener
        made = listener._scrapes.text  # a scrape has to take as long as the test wants

        async def slow() -> list[bytes]:
            await hold.wait()
            return await made()

        monkeypatch.setattr(listener._scrapes, "text", slow)
        asking = [asyncio.create_task(ask(listener.port)) for _ in range(MOST_SOCKETS)]
        await eventually(lambda: _answering(listener), MOST_SOCKETS)
        assert (await ask(listener.port)).status == 503
        hold.set()
        assert {answer.status for answer in await asyncio.gather(*asking)} == {200}


async def _answering(listener: MetricsListener) -> int:
    return sum(socket.is_answering for socket in listener._sockets)


async def test_a_socket_that_asks_nothing_is_closed_soon() -> None:
    async with serving(speed=10) as server:
        elsewhere, patient = await asyncio.open_connection("127.0.0.1", server.port)
        reader, writer = await asyncio.open_connection("127.0.0.1", metrics_port(server))
        writer.write(b"GET /metr")
        ends = {asyncio.create_task(one.read()): one for one in (elsewhere, reader)}
        (first, *_), _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        assert ends[first] is reader
        await asyncio.wait(ends)
        for one in (patient, writer):
            one.close()


async def test_without_metrics_nothing_listens_and_nothing_is_measured() -> None:
    async with running_server() as server:
        assert server.assembly.metrics is None
        assert server.assembly.node.hub.flusher.latency is None


async def test_webhooks_are_counted_by_their_outcome() -> None:
    hooked = app(webhooks=[{"url": f"http://127.0.0.1:{free_port()}/", "event_types": ["channel_occupied"]}])
    async with serving(hooked) as server, PusherClient(server.port) as client:
        await client.subscribe("news")

        async def retried() -> bool:
            one = await scraped(server)
            waiting = one.value("sockudo_webhook_queue_depth") == 1 and one.value("sockudo_webhook_queue_failed") == 0
            return waiting and one.value("sockudo_webhook_deliveries_total", outcome="retried") >= 1

        await eventually(retried)


def test_counters_without_a_suffix_are_the_nine_of_sockudo() -> None:
    plain = [one.name for one in ORIGINAL if one.kind is FamilyType.COUNTER and not one.name.endswith("_total")]
    assert len(plain) == 9
