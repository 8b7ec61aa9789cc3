from __future__ import annotations

import pytest

from sockudo.server.http.heads import without_upgrade

HOST, UPGRADE, LENGTH = (b"Host", b"x"), (b"Upgrade", b"h2c"), (b"Content-Length", b"5")
CONNECTION = (b"Connection", b"Upgrade, HTTP2-Settings")


@pytest.mark.parametrize("body", [LENGTH, (b"TRANSFER-encoding", b"chunked"), (b"content-length", b"0005")])
def test_a_request_with_a_body_asks_for_no_upgrade(body: tuple[bytes, bytes]) -> None:
    head = without_upgrade(b"POST", b"/a?b", "1.1", [HOST, (b"UPGRADE", b"h2c"), CONNECTION, (b"Expect", b"x"), body])
    kept = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nExpect: x\r\n%b: %b\r\n" % body
    assert head == b"POST /a?b HTTP/1.1\r\n" + kept + b"\r\n"


@pytest.mark.parametrize("headers", [[HOST, UPGRADE], [HOST, UPGRADE, (b"Content-Length", b"0")]])
def test_a_request_without_a_body_is_left_alone(headers: list[tuple[bytes, bytes]]) -> None:
    assert without_upgrade(b"GET", b"/", "1.1", headers) is None


def test_connect_has_no_body() -> None:
    assert without_upgrade(b"CONNECT", b"a:1", "1.1", [HOST, LENGTH]) is None
