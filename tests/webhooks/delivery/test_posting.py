"""Posting over real sockets; what goes wrong is told in words that give nothing away."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sockudo.webhooks.delivery.post_error import PostError
from sockudo.webhooks.delivery.posting import USER_AGENT, HttpPoster
from tests.servers.ports import free_port
from tests.servers.redis_server import make_certificate
from tests.servers.webhook_receiver import WebhookReceiver, never, webhook_receiver

BODY = b'{"a":1}'
SECRET = "s3cret"


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
async def poster() -> AsyncIterator[HttpPoster]:
    poster = HttpPoster(0.5, allow_private=True)
    yield poster
    await poster.aclose()


async def reason(poster: HttpPoster, url: str) -> str:
    """Post, and return why that did not work."""
    with pytest.raises(PostError) as caught:
        await poster.post(url, BODY, {"X-Token": SECRET})
    text = str(caught.value)
    assert SECRET not in text
    assert "127.0.0.1" not in text
    return text


async def test_a_body_and_headers_arrive_as_they_are(poster: HttpPoster, receiver: WebhookReceiver) -> None:
    headers = {"Content-Type": "application/json", "X-Token": SECRET}
    assert await poster.post(f"{receiver.url}/a%20b?c=%2F", BODY, headers) == 200
    (request,) = receiver.requests
    assert (request.body, request.path) == (BODY, "/a b")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(BODY))
    assert request.headers["x-token"] == SECRET


async def test_a_webhook_may_say_who_calls(poster: HttpPoster) -> None:
    heads: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await poster.post(url, BODY, {})
        await poster.post(url, BODY, {"user-agent": "mine"})
    agents = [[line for line in head.split(b"\r\n") if line.lower().startswith(b"user-agent:")] for head in heads]
    assert agents == [[f"User-Agent: {USER_AGENT}".encode()], [b"user-agent: mine"]]


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_every_2xx_is_success(poster: HttpPoster, receiver: WebhookReceiver, status: int) -> None:
    receiver.answer = lambda _: status
    assert await poster.post(receiver.url, BODY, {}) == status


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(poster: HttpPoster, receiver: WebhookReceiver, status: int) -> None:
    receiver.answer = lambda _: status
    receiver.headers["Location"] = f"{receiver.url}/elsewhere"
    assert await reason(poster, receiver.url) == f"answered {status}, and redirects are not followed"
    assert [request.path for request in receiver.requests] == ["/"]


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
async def test_other_answers_are_failures(poster: HttpPoster, receiver: WebhookReceiver, status: int) -> None:
    receiver.answer = lambda _: status
    assert await reason(poster, f"{receiver.url}/{SECRET}?{SECRET}") == f"answered {status}"


async def test_who_does_not_answer_is_given_up(poster: HttpPoster, receiver: WebhookReceiver) -> None:
    receiver.answer = never
    assert await reason(poster, receiver.url) == "no answer within 0.5 s"


async def test_who_is_not_there_is_a_failure(poster: HttpPoster) -> None:
    assert await reason(poster, f"http://user:{SECRET}@127.0.0.1:{free_port()}/") == "connection refused"
    for host in ("no-such-host.invalid", "no..name", "a" * 64):
        assert await reason(poster, f"http://{host}/") == "its name cannot be resolved"


async def serve_raw(answer: bytes, *, and_hold: bool = False) -> tuple[asyncio.Server, int]:
    """Answer every connection with bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if and_hold:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_what_is_no_answer_is_a_failure(poster: HttpPoster) -> None:
    for answer, expected in ((b"", "connection closed"), (b"SSH-2.0\r\n", "no valid answer")):
        server, port = await serve_raw(answer)
        async with server:
            assert (await reason(poster, f"http://127.0.0.1:{port}/")).startswith(expected)


async def test_a_success_is_one_however_its_body_goes_on(poster: HttpPoster) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
    for answer in (head, head + bytes(200_000)):
        server, port = await serve_raw(answer, and_hold=True)
        async with server:
            assert await poster.post(f"http://127.0.0.1:{port}/", BODY, {}) == 200


async def test_a_success_is_known_soon_however_slow_its_body() -> None:
    is_over = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()
        is_over.set()

    poster = HttpPoster(60, allow_private=True)
    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server, asyncio.timeout(10):
        assert await poster.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", BODY, {}) == 200
        await poster.aclose()
        # Nothing of that answer is read any more.
        await is_over.wait()


async def test_a_connection_is_used_again(poster: HttpPoster, receiver: WebhookReceiver) -> None:
    for _ in range(3):
        await poster.post(receiver.url, BODY, {})
    connector = poster._session.connector
    assert connector is not None
    assert sum(len(connections) for connections in connector._conns.values()) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused(poster: HttpPoster, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await reason(poster, f"https://127.0.0.1:{port}/") == "its certificate cannot be verified"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_private_addresses_are_refused_at_the_connected_address(receiver: WebhookReceiver, host: str) -> None:
    poster = HttpPoster(2, allow_private=False)
    try:
        assert "webhooks.allow_private" in await reason(poster, f"http://{host}:{receiver.port}/")
    finally:
        await poster.aclose()
    assert receiver.requests == []


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "127.1"])
async def test_an_address_in_disguise_is_not_reached(receiver: WebhookReceiver, host: str) -> None:
    poster = HttpPoster(2, allow_private=False)
    try:
        await reason(poster, f"http://{host}:{receiver.port}/")
    finally:
        await poster.aclose()
    assert receiver.requests == []
