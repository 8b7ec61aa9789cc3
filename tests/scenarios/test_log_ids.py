"""Lines of the log carry the ids of their request."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.clients.raw import HttpConnection, request_bytes, upgrade_bytes
from tests.servers.server import APP_ID, running_server

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = f"X-Request-Id: from-the-proxy\r\ntraceparent: 00-{TRACE}-{SPAN}-01\r\n".encode()


def with_ids(request: bytes) -> bytes:
    """Add the headers of a proxy to the head of a request."""
    line, rest = request.split(b"\r\n", 1)
    return line + b"\r\n" + HEADERS + rest


@pytest.mark.parametrize(
    ("event", "request_"),
    [
        ("request refused", request_bytes("GET", f"/apps/{APP_ID}/channels")),
        ("connection refused", upgrade_bytes("/app/unknown")),
    ],
)
async def test_a_refusal_has_the_ids_of_its_request(event: str, request_: bytes) -> None:
    with capture_logs() as lines:
        async with running_server() as server, HttpConnection(server.port) as connection:
            await connection.write(with_ids(request_))
            await connection.answer()
    (line,) = (line for line in lines if line["event"] == event)
    assert (line["request_id"], line["trace_id"], line["span_id"]) == ("from-the-proxy", TRACE, SPAN)


async def test_a_request_that_is_not_logged_makes_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sockudo.api.messages.request_ids", None)
    async with running_server() as server, HttpConnection(server.port) as connection:
        await connection.write(with_ids(request_bytes("GET", "/up")))
        assert (await connection.answer()).status == 200
