"""HTTP/1.1 on the wire: keep-alive, pipelining, bodies in every form, and limits on size and time."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from tests.clients.client import ApiClient, PusherClient, http
from tests.clients.raw import HttpConnection, request_bytes
from tests.servers.nodes import Nodes, Serve
from tests.servers.server import APP_ID, KEY

EVENT = b'{"name":"e","channel":"news","data":"x"}'
UP = request_bytes("GET", "/up")


async def let_it_be_read(server: Nodes) -> None:
    """Return when what was written before has been read, so that what is written next does not come with it."""
    assert (await http(server.port, "GET", "/up")).status == 200


async def test_a_connection_is_kept_for_the_next_request(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        api = ApiClient(server.port)
        for _ in range(3):
            answer = await connection.request("POST", api.target("POST", "/events", EVENT), EVENT)
            assert answer.status == 200
            assert "connection" not in answer.headers
            assert (await connection.request("GET", api.target("GET", "/channels"))).json() == {"channels": {}}


async def test_a_hundred_mixed_requests_in_one_write_answer_in_order(serve: Serve) -> None:
    async with serve() as server, PusherClient(server.port) as client, HttpConnection(server.port) as connection:
        await client.subscribe("news")
        api = ApiClient(server.port)
        requests: list[bytes] = []
        expected: list[tuple[int, object]] = []
        for number in range(25):
            body = json.dumps({"name": "e", "channel": "news", "data": str(number)}).encode()
            requests.append(request_bytes("POST", api.target("POST", "/events", body), body))
            expected.append((200, {}))
            requests.append(request_bytes("GET", api.target("GET", f"/channels/c{number}")))
            expected.append((200, {"occupied": False}))
            requests.append(request_bytes("GET", f"/nowhere/{number}"))
            expected.append((404, None))
            requests.append(request_bytes("POST", api.target("POST", "/events", body) + "0", body))
            expected.append((401, None))
        await connection.write(b"".join(requests))
        for status, body_json in expected:
            answer = await connection.answer()
            assert answer.status == status
            if body_json is not None:
                assert answer.json() == body_json
        assert [(await client.expect("e"))["data"] for _ in range(25)] == [str(number) for number in range(25)]


async def test_a_late_readers_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    async with (
        serve() as server,
        PusherClient(server.port) as client,
        HttpConnection(server.port, receive_buffer=4096) as connection,
    ):
        # The answers are much more than the buffers between the two take.
        for number in range(500):
            await client.subscribe(f"channel-{number}-" + "x" * 180)
        await server.settled()
        requests = []
        for number in range(200):
            requests.append(request_bytes("GET", ApiClient(server.port).target("GET", "/channels")))
            requests.append(request_bytes("GET", f"/nowhere/{number}"))
        sending = asyncio.create_task(connection.write(b"".join(requests)))
        for _ in range(200):
            assert len((await connection.answer()).json()["channels"]) == 500
            (await connection.answer()).error(404)
        await sending


async def test_a_request_may_arrive_byte_by_byte(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        target = ApiClient(server.port).target("POST", "/events", EVENT)
        for byte in request_bytes("POST", target, EVENT):
            await connection.write(bytes((byte,)))
        assert (await connection.answer()).status == 200


async def test_a_request_after_a_large_body_has_a_small_head(serve: Serve) -> None:
    body = json.dumps({"name": "e", "channel": "news", "data": "x" * 90_000}).encode()
    async with serve() as server, HttpConnection(server.port) as connection:
        first = request_bytes("POST", ApiClient(server.port).target("POST", "/events", body), body)
        await connection.write(first[:1000])
        # What comes next is read in one piece: the rest of one request and the beginning of another.
        await let_it_be_read(server)
        await connection.write(first[1000:] + UP[:10])
        assert (await connection.answer()).status == 200
        await let_it_be_read(server)
        await connection.write(UP[10:])
        assert (await connection.answer()).status == 200


async def test_a_head_may_have_nearly_16_kib_in_any_pieces(serve: Serve) -> None:
    head = request_bytes("GET", "/up", headers={f"X-Field-{number}": "x" * 900 for number in range(16)})
    assert 14 * 1024 < len(head) < 16 * 1024
    async with serve() as server, HttpConnection(server.port) as connection:
        for start in range(0, len(head), 500):
            await connection.write(head[start : start + 500])
            await let_it_be_read(server)
        assert (await connection.answer()).status == 200


@pytest.mark.parametrize("pieces", [1, 40])
async def test_a_larger_head_is_431_and_ends_the_connection(serve: Serve, pieces: int) -> None:
    head = request_bytes("GET", "/up", headers={"X-Field": "x" * 20_000})
    async with serve() as server, HttpConnection(server.port) as connection:
        size = len(head) // pieces + 1
        for start in range(0, len(head), size):
            await connection.write(head[start : start + size])
        answer = await connection.answer()
        assert "16384 bytes" in answer.error(431)
        assert answer.headers["connection"] == "close"
        await connection.expect_end()


async def test_a_target_that_is_too_long_is_431(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        await connection.write(request_bytes("GET", "/up?" + "x" * 20_000))
        (await connection.answer()).error(431)


async def test_connection_close_is_honoured(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        await connection.write(request_bytes("GET", "/up", headers={"Connection": "close"}) + UP)
        answer = await connection.answer()
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        await connection.expect_end()


async def test_an_http_1_0_client_is_answered_then_closed(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        await connection.write(b"GET /up HTTP/1.0\r\n\r\n")
        assert (await connection.answer()).status == 200
        await connection.expect_end()


async def test_an_asking_client_is_told_to_send_its_body(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        target = ApiClient(server.port).target("POST", "/events", EVENT)
        request = request_bytes("POST", target, EVENT, {"Expect": "100-continue"})
        await connection.write(request[: -len(EVENT)])
        assert (await connection.answer()).status == 100
        await connection.write(EVENT)
        assert (await connection.answer()).status == 200


@pytest.mark.parametrize("order", [("Expect", "Content-Length"), ("Content-Length", "Expect")])
async def test_a_client_that_asks_first_hears_of_a_large_body(serve: Serve, order: tuple[str, str]) -> None:
    fields = {"Expect": "100-continue", "Content-Length": "1048577"}
    async with serve(http_api={"request_limit_in_mb": 1}) as server, HttpConnection(server.port) as connection:
        headers = {name: fields[name] for name in order}
        await connection.write(request_bytes("POST", f"/apps/{APP_ID}/events", headers=headers))
        assert "http_api.request_limit_in_mb" in (await connection.answer()).error(413)
        await connection.expect_end()


async def test_a_body_in_chunks_is_one_body(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        target = ApiClient(server.port).target("POST", "/events", EVENT)
        await connection.write(request_bytes("POST", target, headers={"Transfer-Encoding": "chunked"}))
        for start in range(0, len(EVENT), 7):
            chunk = EVENT[start : start + 7]
            await connection.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await connection.write(b"0\r\n\r\n" + UP)
        assert (await connection.answer()).status == 200
        assert (await connection.answer()).body == b"OK"


async def test_a_body_in_chunks_is_limited_too(serve: Serve) -> None:
    async with serve(http_api={"request_limit_in_mb": 1}) as server, HttpConnection(server.port) as connection:
        target = ApiClient(server.port).target("POST", "/events", b"x" * 0x100001)
        head = request_bytes("POST", target, headers={"Transfer-Encoding": "chunked"})
        await connection.write(head + b"100001\r\n" + b"x" * 0x100001 + b"\r\n")
        (await connection.answer()).error(413)


async def test_an_oversized_body_is_refused_before_it_is_read(serve: Serve) -> None:
    async with serve(http_api={"request_limit_in_mb": 1}) as server, HttpConnection(server.port) as connection:
        await connection.write(
            request_bytes("POST", f"/apps/{APP_ID}/events", headers={"Content-Length": str(1024 * 1024 + 1)})
        )
        answer = await connection.answer()
        answer.error(413)
        assert answer.headers["connection"] == "close"
        await connection.expect_end()


async def test_a_client_that_sends_too_much_can_read_why(serve: Serve) -> None:
    async with serve(http_api={"request_limit_in_mb": 1}) as server, HttpConnection(server.port) as connection:
        # A server that closes over unread data resets the connection, and the answer is lost.
        await connection.write(request_bytes("POST", f"/apps/{APP_ID}/events", b"x" * 8 * 1024 * 1024))
        (await connection.answer()).error(413)
        await connection.expect_end()


async def test_a_body_of_the_full_size_is_read(serve: Serve) -> None:
    body = EVENT.ljust(1024 * 1024)
    async with serve(http_api={"request_limit_in_mb": 1}) as server:
        assert (await ApiClient(server.port).post("/events", body)).status == 200


@pytest.mark.parametrize("path", ["/up", "/usage", f"/up/{APP_ID}"])
async def test_head_is_get_without_the_body(serve: Serve, path: str) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        got = await connection.request("GET", path)
        answer = await connection.request("HEAD", path)
        assert answer.status == 200
        assert answer.body == b""
        if path != "/usage":
            assert answer.headers["content-length"] == got.headers["content-length"]
        assert answer.headers["content-type"] == got.headers["content-type"]
        assert (await connection.request("GET", "/up")).body == b"OK"


async def test_head_works_where_get_works_and_is_signed_as_itself(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        api = ApiClient(server.port)
        for path in ("/channels", "/channels/a", "/channels/presence-a/users"):
            answer = await connection.request("HEAD", api.target("HEAD", path))
            assert (answer.status, answer.body) == (200, b"")
        assert (await connection.request("HEAD", api.target("HEAD", "/events"))).status == 405


async def test_every_answer_has_a_date(serve: Serve) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        for target in ("/up", "/nowhere"):
            answer = await connection.request("GET", target)
            assert answer.headers["date"].endswith("GMT")


@pytest.mark.parametrize(
    "request_text",
    [
        "nonsense\r\n\r\n",
        "GET /up HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET /up HTTP/1.1\r\n\r\n",
        "GET /up HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "FETCH /up HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_non_http_bytes_are_400_and_end_the_connection(serve: Serve, request_text: str) -> None:
    async with serve() as server, HttpConnection(server.port) as connection:
        await connection.write(request_text.encode())
        (await connection.answer()).error(400)
        await connection.expect_end()


async def test_an_upgrade_to_something_else_is_answered_like_any_request(serve: Serve) -> None:
    headers = {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"}
    async with serve() as server, HttpConnection(server.port) as connection:
        await connection.write(request_bytes("GET", "/up", headers=headers) + UP)
        for _ in range(2):
            assert (await connection.answer()).body == b"OK"


async def test_a_refused_upgrade_says_why_and_ends_the_connection(serve: Serve) -> None:
    """What follows it may be of the protocol that was asked for."""
    async with serve() as server, HttpConnection(server.port) as connection:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "8"}
        answer = await connection.request("GET", f"/app/{KEY}", headers=headers)
        answer.error(426)
        assert answer.headers["sec-websocket-version"] == "13"
        await connection.expect_end()


async def test_a_head_that_is_not_complete_in_time_is_408(serve: Serve) -> None:
    async with serve(speed=20) as server, HttpConnection(server.port) as connection:
        began = time.monotonic()
        await connection.write(b"GET /up HTTP/1.1\r\n")
        assert "10 s" in (await connection.answer()).error(408)
        assert (time.monotonic() - began) * 20 > 10 - 1
        await connection.expect_end()


async def test_a_body_that_is_not_complete_in_time_is_408(serve: Serve) -> None:
    async with serve(speed=20) as server, HttpConnection(server.port) as connection:
        began = time.monotonic()
        await connection.write(request_bytes("POST", "/apps/x/events", b"xx")[:-1])
        assert "30 s" in (await connection.answer()).error(408)
        assert (time.monotonic() - began) * 20 > 30 - 1
        await connection.expect_end()


async def test_an_idle_connection_is_closed_after_its_time(serve: Serve) -> None:
    async with serve(speed=50) as server, HttpConnection(server.port) as connection:
        await connection.request("GET", "/up")
        began = time.monotonic()
        await connection.expect_end()
        assert (time.monotonic() - began) * 50 > 75 - 1
