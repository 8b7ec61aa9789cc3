"""How a socket comes in: its PROXY header, its handshake, and what is told to whom that goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any, Final, cast

import pytest

from sockudo.server.accepting.arrival import Arrival
from tests.clients.attack import until
from tests.clients.client import WAIT
from tests.clients.doors import (
    SIGNATURE,
    TlsClient,
    UnixClient,
    answer,
    ask,
    binary,
    get,
    is_dropped,
    is_refused,
    line,
    publish,
    streams,
    tls_settings,
    trusting,
)
from tests.clients.raw import client_frame
from tests.fakes.stack import upgrade
from tests.servers.certificates import Certificate, sign_certificate
from tests.servers.server import app, running_server
from tests.support.log_lines import CapturedLog

Capture = pytest.CaptureFixture[str]
# What remains to an address tells which one counted.
LIMITED: Final[dict[str, Any]] = {
    "rate_limiter": {"enabled": True, "api_rate_limit": {"max_requests": 9, "window_seconds": 60, "trust_hops": 1}}
}
FROM_LOOPBACK: Final[dict[str, Any]] = {"proxy_protocol": {"networks": ["127.0.0.0/8"]}}
FROM_ELSEWHERE: Final[dict[str, Any]] = {"proxy_protocol": {"networks": ["192.0.2.0/24"]}}
# A route that is limited, and needs no signature to be counted.
ROUTE = "/apps/1/channels"
REFUSED = "PROXY protocol: connection closed"
SPEED = 100


def remaining(port: int, header: bytes, **fields: str) -> asyncio.Task[int]:
    """Ask behind a header, and return how often the client that counted may ask again."""

    async def one() -> int:
        found = await ask(port, header + get(ROUTE, **fields))
        return int(found.headers["x-ratelimit-remaining"])

    return asyncio.ensure_future(one())


# TLS


async def test_tls_serves_websockets_and_the_http_api(made: Certificate) -> None:
    context = trusting(made)
    async with running_server(ssl=tls_settings(made)) as server, TlsClient(server.port, context) as client:
        await client.subscribe("news")
        async with streams(server.port, context) as connection:
            for number in range(3):
                await publish(connection, "news", str(number))
        assert [(await client.receive())["data"] for _ in range(3)] == ["0", "1", "2"]


async def test_a_large_body_comes_whole_over_tls(made: Certificate) -> None:
    context, data = trusting(made), "x" * 2_000_000
    limits = {"max_payload_in_kb": 3000}
    async with (
        running_server(ssl=tls_settings(made), event_limits=limits, websocket={"max_buffer_kb": 9000}) as server,
        TlsClient(server.port, context) as client,
        streams(server.port, context) as connection,
    ):
        await client.subscribe("news")
        await publish(connection, "news", data)
        assert (await client.receive())["data"] == data


async def test_a_client_over_tls_that_does_not_read_is_dropped(made: Certificate) -> None:
    context = trusting(made)
    async with running_server(ssl=tls_settings(made), websocket={"max_buffer_kb": 64}) as server:
        websockets = server.assembly.front.websockets
        async with streams(server.port, context) as (reader, writer), streams(server.port, context) as connection:
            writer.write(upgrade())
            await until(lambda: websockets.open_count == 1)
            writer.write(client_frame(1, b'{"event":"pusher:subscribe","data":{"channel":"news"}}'))
            await asyncio.wait_for(reader.readuntil(b"subscription_succeeded"), WAIT)
            cast(asyncio.Transport, writer.transport).pause_reading()
            for _ in range(500):
                await publish(connection, "news", "x" * 50_000)
                if not list(server.assembly.node.hub.connections()):
                    break
            assert list(server.assembly.node.hub.connections()) == []
            # What was not read is not kept for long.
            await until(lambda: websockets.open_count == 0)


async def test_only_http_1_1_is_offered(made: Certificate) -> None:
    context = trusting(made)
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with running_server(ssl=tls_settings(made)) as server, streams(server.port, context) as (_, writer):
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


async def test_a_client_that_is_too_old_is_refused(made: Certificate) -> None:
    old = trusting(made)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with running_server(ssl=tls_settings(made)) as server, streams(server.port, old):
        pass
    async with running_server(ssl=tls_settings(made, min_version="1.3")) as server:
        assert (await ask(server.port, context=trusting(made))).status == 200
        assert await is_refused(server.port, old)


async def test_a_client_needs_a_certificate_where_authorities_are_set(
    made: Certificate, other: Certificate, tmp_path: Path
) -> None:
    client = sign_certificate(tmp_path, made)
    async with running_server(ssl=tls_settings(made, ca_path=str(made.cert))) as server:
        assert (await ask(server.port, context=trusting(made, client))).status == 200
        assert await is_refused(server.port, trusting(made))
        # One of another authority.
        assert await is_refused(server.port, trusting(made, other))


async def test_plain_http_on_the_tls_port_is_told_so(made: Certificate, capsys: Capture) -> None:
    logged = CapturedLog(capsys, "debug")
    async with running_server(ssl=tls_settings(made)) as server:
        found = await ask(server.port)
        assert (found.status, found.body) == (400, b"The port speaks TLS: use https or wss\n")
        await until(lambda: len(logged.lines("handshake failed")) == 1)
    assert logged.lines("handshake failed")[0]["reason"] == "the client does not speak TLS"


async def test_peers_without_tls_leave_no_trace_in_the_log(made: Certificate, capsys: Capture) -> None:
    logged = CapturedLog(capsys)
    async with running_server(ssl=tls_settings(made)) as server:
        front = server.assembly.front
        for sent in (b"", b"\x80\x01", b"\x16", b"\x16\x03\x01\x00\x05hello", get(), b"\x16\x03\x01\x02\x00\x01"):
            async with streams(server.port) as connection:
                connection[1].write(sent)
                with contextlib.suppress(OSError):
                    connection[1].write_eof()
                    await asyncio.wait_for(connection[0].read(), WAIT)
            one = socket.create_connection(("127.0.0.1", server.port))
            one.send(sent or b"\x16")
            # Closed with a reset.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            one.close()
        await until(lambda: front.open_count == 0)
    assert logged.text == ""


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"])
async def test_a_handshake_that_takes_too_long_is_dropped(made: Certificate, sent: bytes) -> None:
    async with running_server(speed=SPEED, ssl=tls_settings(made)) as server, streams(server.port) as connection:
        connection[1].write(sent)
        assert await is_dropped(connection)
        await until(lambda: server.assembly.front.open_count == 0)


async def test_draining_waits_for_no_handshake(made: Certificate) -> None:
    async with (
        running_server(ssl=tls_settings(made)) as server,
        streams(server.port) as silent,
        streams(server.port) as begun,
    ):
        begun[1].write(b"\x16\x03\x01")
        await until(lambda: server.assembly.front.open_count == 2)
        await asyncio.wait_for(server.assembly.server.drain(600), WAIT)
        assert await is_dropped(silent)
        assert await is_dropped(begun)


async def test_a_replaced_worker_serves_clients_that_had_connected_before(made: Certificate) -> None:
    async with running_server(ssl=tls_settings(made)) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            await until(lambda: server.assembly.front.open_count == 1)
            drain = asyncio.create_task(server.assembly.server.drain(0, linger=20))
            plain.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=plain, ssl=trusting(made), server_hostname="127.0.0.1")
            writer.write(get())
            assert (await answer((reader, writer))).status == 200
            writer.close()
            await asyncio.wait_for(drain, 2 * WAIT)


# The PROXY protocol


@pytest.mark.parametrize("header", [line("203.0.113.9"), binary("203.0.113.9", more=b"\x04\x00\x01x")])
async def test_the_header_names_the_client_wherever_it_is_cut(header: bytes) -> None:
    async with running_server(**LIMITED, **FROM_LOOPBACK) as server:
        data = header + get("/up")
        for cut in range(1, len(header) + 2):
            async with streams(server.port) as connection:
                connection[1].write(data[:cut])
                await asyncio.sleep(0)
                connection[1].write(data[cut:])
                assert (await answer(connection)).status == 200
        assert await remaining(server.port, header) == 8
        assert await remaining(server.port, header) == 7
        assert await remaining(server.port, line("203.0.113.10")) == 8
        assert await remaining(server.port, binary("203.0.113.10")) == 7


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", binary("203.0.113.9", command=0x20)])
async def test_a_header_without_a_client_keeps_the_peer_address(header: bytes) -> None:
    async with running_server(**LIMITED, **FROM_LOOPBACK) as server:
        assert await remaining(server.port, header) == 8
        assert await remaining(server.port, line("127.0.0.1")) == 7


async def test_forwarded_headers_do_not_count_where_a_proxy_names_clients() -> None:
    async with running_server(**LIMITED, **FROM_LOOPBACK) as server:
        assert await remaining(server.port, line("203.0.113.9"), X_Forwarded_For="198.51.100.1") == 8
        assert await remaining(server.port, line("203.0.113.9"), X_Forwarded_For="198.51.100.2") == 7
        assert await remaining(server.port, line("198.51.100.1")) == 8


async def test_trusted_networks_are_those_of_the_address_in_the_header() -> None:
    limits: dict[str, Any] = {"rate_limiter": LIMITED["rate_limiter"] | {"trusted_networks": ["203.0.113.0/24"]}}
    async with running_server(**limits, **FROM_LOOPBACK) as server:
        assert await remaining(server.port, line("203.0.113.9"), X_Forwarded_For="198.51.100.1") == 8
        assert await remaining(server.port, line("192.0.2.1"), X_Forwarded_For="198.51.100.1") == 8
        assert await remaining(server.port, line("198.51.100.1")) == 7
        assert await remaining(server.port, line("192.0.2.1")) == 7


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (get(), "the header is missing"),
        (b"\x16\x03\x01", "the header is missing"),
        (b"PROXY TCP4 x y 1 1\r\n", "the header has a text in place of an IP address"),
        (SIGNATURE + b"\x31\x11\x00\x00", "the header has the version and command 0x31, which are unknown"),
    ],
)
async def test_a_proxy_without_a_sound_header_is_closed(sent: bytes, reason: str, capsys: Capture) -> None:
    logged = CapturedLog(capsys)
    async with running_server(**FROM_LOOPBACK) as server:
        for _ in range(30):
            async with streams(server.port) as connection:
                connection[1].write(sent)
                assert await is_dropped(connection)
    # A few lines, and then how many more there were.
    assert len(logged.lines(REFUSED)) == 5
    assert {(one["reason"], one["peer"], one["level"]) for one in logged.lines(REFUSED)} == {
        (reason, "127.0.0.1", "warning")
    }
    assert "and 25 more" in logged.text


@pytest.mark.parametrize("header", [line("203.0.113.9"), binary("203.0.113.9")])
async def test_another_peer_with_a_header_is_closed_wherever_cut(header: bytes, capsys: Capture) -> None:
    logged = CapturedLog(capsys)
    async with running_server(**FROM_ELSEWHERE) as server:
        for cut in range(1, len(SIGNATURE)):
            async with streams(server.port) as connection:
                connection[1].write(header[:cut])
                await asyncio.sleep(0)
                connection[1].write(header[cut:] + get())
                assert await is_dropped(connection)
    assert "came from a peer that is not in proxy_protocol.networks" in logged.lines(REFUSED)[0]["reason"]


async def test_other_peers_are_served_without_a_header_wherever_they_pause() -> None:
    async with running_server(**FROM_ELSEWHERE) as server:
        data = b"PROPFIND / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        for cut in range(len(b"PROPFIND") + 1):
            async with streams(server.port) as connection:
                connection[1].write(data[:cut])
                await asyncio.sleep(0)
                connection[1].write(data[cut:])
                assert (await answer(connection)).status in (404, 405)
        assert (await ask(server.port, b"\r\n" + get())).status == 200


async def test_a_header_that_takes_too_long_is_dropped(capsys: Capture) -> None:
    logged = CapturedLog(capsys)
    async with running_server(speed=SPEED, **FROM_LOOPBACK) as server, streams(server.port) as connection:
        connection[1].write(b"PROXY TCP4")
        assert await is_dropped(connection)
        await until(lambda: bool(logged.lines(REFUSED)))
    assert logged.lines(REFUSED)[0]["reason"] == "the header took more than 10 s"


async def test_other_peers_that_say_half_a_header_cost_no_time() -> None:
    async with running_server(**FROM_ELSEWHERE) as server, streams(server.port) as connection:
        connection[1].write(b"PROXY")
        await until(lambda: server.assembly.front.open_count == 1)
        loop = asyncio.get_running_loop()
        # A socket that were readable all the time would run its callback in each turn.
        (arrival,) = server.assembly.front.http_connections
        looks = 0
        look = arrival._look  # type: ignore[attr-defined]  # nothing else tells how often it is called

        def counted() -> bool:
            nonlocal looks
            looks += 1
            return bool(look())

        arrival._look = counted  # type: ignore[attr-defined]  # as above
        for _ in range(200):
            await asyncio.sleep(0)
        assert looks <= 1
        assert loop.is_running()


async def test_the_header_comes_before_tls(made: Certificate) -> None:
    async with running_server(**LIMITED, **FROM_LOOPBACK, ssl=tls_settings(made)) as server:
        loop = asyncio.get_running_loop()
        for left in (8, 7):
            one = socket.create_connection(("127.0.0.1", server.port))
            one.setblocking(False)
            await loop.sock_sendall(one, binary("203.0.113.9"))
            reader, writer = await asyncio.open_connection(sock=one, ssl=trusting(made), server_hostname="127.0.0.1")
            writer.write(get(ROUTE))
            assert (await answer((reader, writer))).headers["x-ratelimit-remaining"] == str(left)
            writer.close()
        async with streams(server.port) as connection:
            connection[1].write(b"\x16\x03\x01")
            assert await is_dropped(connection)


async def test_a_refused_websocket_is_logged_with_the_header_address(capsys: Capture) -> None:
    logged = CapturedLog(capsys)
    async with running_server(app(enabled=False), **FROM_LOOPBACK) as server, streams(server.port) as connection:
        connection[1].write(line("203.0.113.9") + upgrade())
        await until(lambda: bool(logged.lines("connection refused")))
    assert logged.lines("connection refused")[0]["peer"] == "203.0.113.9"


async def test_a_proxy_on_a_unix_socket_names_the_client(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    unix: dict[str, Any] = {"unix_socket": {"enabled": True, "path": str(path)}}

    async def ask_unix(data: bytes) -> str:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(data + get(ROUTE))
        found = await answer((reader, writer))
        writer.close()
        return found.headers["x-ratelimit-remaining"]

    async with running_server(**LIMITED, **unix, proxy_protocol={"networks": ["unix"]}):
        assert [await ask_unix(line("203.0.113.9")) for _ in range(2)] == ["8", "7"]
        assert await ask_unix(binary("203.0.113.10")) == "8"
    async with running_server(**LIMITED, **unix, **FROM_ELSEWHERE):
        assert await ask_unix(b"") == "8"
        async with UnixClient(path) as client:
            await client.subscribe("news")


@pytest.mark.parametrize("sent", [b"P", b"\r\n"])
async def test_a_peer_that_ends_before_it_is_identified_is_dropped(sent: bytes) -> None:
    async with running_server(**FROM_ELSEWHERE) as server, streams(server.port) as connection:
        connection[1].write(sent)
        connection[1].write_eof()
        assert await is_dropped(connection)
        assert server.assembly.front.open_count == 0


@pytest.mark.parametrize("kept_back", [1, 100])
async def test_a_handshake_begins_when_the_whole_hello_is_there(
    made: Certificate, monkeypatch: pytest.MonkeyPatch, kept_back: int
) -> None:
    begun: list[Arrival] = []
    connect = Arrival.connect

    def counted(self: Arrival) -> bool:
        begun.append(self)
        return connect(self)

    monkeypatch.setattr(Arrival, "connect", counted)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(made).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    async with running_server(ssl=tls_settings(made)) as server, streams(server.port) as connection:
        connection[1].write(hello[:-kept_back])
        assert (await ask(server.port, context=trusting(made))).status == 200
        assert len(begun) == 1
        connection[1].write(hello[-kept_back:])
        assert (await asyncio.wait_for(connection[0].read(1), WAIT)) == b"\x16"
        assert len(begun) == 2


async def test_a_hello_that_ends_too_soon_is_dropped(made: Certificate) -> None:
    async with running_server(ssl=tls_settings(made)) as server, streams(server.port) as connection:
        connection[1].write(b"\x16\x03\x01\x02\x00\x01")
        connection[1].write_eof()
        assert await is_dropped(connection)
