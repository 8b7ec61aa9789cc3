"""The opening handshake against every rule of RFC 6455 that binds a server, in the order of the RFC."""

from __future__ import annotations

import base64
import hashlib

import pytest

from sockudo.websocket.handshake import HandshakeError, accept, is_upgrade

Headers = list[tuple[bytes, bytes]]

# The client's request of section 1.2, with the optional fields it shows.
REQUEST: Headers = [
    (b"Host", b"server.example.com"),
    (b"Upgrade", b"websocket"),
    (b"Connection", b"Upgrade"),
    (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    (b"Origin", b"http://example.com"),
    (b"Sec-WebSocket-Protocol", b"chat, superchat"),
    (b"Sec-WebSocket-Version", b"13"),
]
RESPONSE = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"\r\n"
)


def request(**changes: bytes | list[bytes] | None) -> Headers:
    """Return the headers of `REQUEST` with some replaced, repeated (a list), added, or left out (None)."""
    wanted = {name.replace("_", "-").lower().encode(): value for name, value in changes.items()}
    headers = [(name, value) for name, value in REQUEST if name.lower() not in wanted]
    for name, value in wanted.items():
        lines = [] if value is None else [value] if isinstance(value, bytes) else value
        headers += [(name, line) for line in lines]
    return headers


def refusal(headers: Headers, *, method: bytes = b"GET", http_version: str = "1.1") -> HandshakeError:
    """Return the refusal of a request that must be refused."""
    with pytest.raises(HandshakeError) as caught:
        accept(method, http_version, headers)
    error = caught.value
    assert error.reason.isascii()
    assert error.reason == str(error) != ""
    return error


# 1.3 Opening handshake


def test_1_3_the_example_gets_the_response_of_the_rfc() -> None:
    assert accept(b"GET", "1.1", REQUEST) == RESPONSE


# 4.2.1 Reading the client's opening handshake


@pytest.mark.parametrize("method", [b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"get", b""])
def test_4_2_1_the_method_is_get(method: bytes) -> None:
    error = refusal(REQUEST, method=method)
    assert error.status == 405
    assert error.headers == (("Allow", "GET"),)


@pytest.mark.parametrize("http_version", ["1.1", "1.2", "1.10", "2.0", "2"])
def test_4_2_1_http_is_of_version_1_1_upwards(http_version: str) -> None:
    assert accept(b"GET", http_version, REQUEST) == RESPONSE


@pytest.mark.parametrize("http_version", ["1.0", "0.9", "1", "0.11", "", "x", "1.x", "-1.1", "1.1.1"])
def test_4_2_1_a_lower_version_of_http_is_refused(http_version: str) -> None:
    assert refusal(REQUEST, http_version=http_version).status == 400


@pytest.mark.parametrize("host", [None, b"", b" "])
def test_4_2_1_there_is_a_host(host: bytes | None) -> None:
    assert refusal(request(host=host)).status == 400


def test_4_2_1_there_is_one_host() -> None:
    assert refusal(request(host=[b"a.example", b"b.example"])).status == 400


@pytest.mark.parametrize(
    "upgrade",
    [
        b"websocket",
        b"WebSocket",
        b"WEBSOCKET",
        b"h2c, websocket",
        b"websocket,h2c",
        b"h2c ,\twebsocket\t, other",
        b",websocket,",
        b" websocket\t",
        [b"h2c", b"websocket"],
        [b"websocket", b"h2c"],
    ],
)
def test_4_2_1_upgrade_names_websocket_in_any_case_anywhere(upgrade: bytes | list[bytes]) -> None:
    headers = request(upgrade=upgrade)
    assert is_upgrade(headers)
    assert accept(b"GET", "1.1", headers) == RESPONSE


@pytest.mark.parametrize(
    "upgrade", [None, b"", b"h2c", b"websockets", b"web socket", b"websocket/13", b"websocket;q=1"]
)
def test_4_2_1_an_upgrade_without_websocket_is_refused(upgrade: bytes | None) -> None:
    headers = request(upgrade=upgrade)
    assert not is_upgrade(headers)
    error = refusal(headers)
    assert error.status == 426
    assert error.headers == (("Upgrade", "websocket"), ("Connection", "Upgrade"))


@pytest.mark.parametrize(
    "connection",
    [
        b"Upgrade",
        b"upgrade",
        b"UPGRADE",
        b"keep-alive, Upgrade",
        b"Upgrade,keep-alive",
        b"keep-alive ,\tUpgrade ",
        [b"keep-alive", b"Upgrade"],
        [b"Upgrade", b"keep-alive"],
    ],
)
def test_4_2_1_connection_names_upgrade_in_any_case_anywhere(connection: bytes | list[bytes]) -> None:
    assert accept(b"GET", "1.1", request(connection=connection)) == RESPONSE


@pytest.mark.parametrize("connection", [None, b"", b"keep-alive", b"close", b"upgraded", b"keep-alive Upgrade"])
def test_4_2_1_a_connection_without_upgrade_is_refused(connection: bytes | None) -> None:
    headers = request(connection=connection)
    assert is_upgrade(headers)
    assert refusal(headers).status == 400


@pytest.mark.parametrize(
    "key",
    [
        None,
        b"",
        b"dGhlIHNhbXBsZSBub25j",  # 15 bytes
        b"dGhlIHNhbXBsZSBub25jZSE=",  # 17 bytes
        b"dGhlIHNhbXBsZSBub25jZSEh",  # 18 bytes
        b"dGhlIHNhbXBsZSBub25jZQ",  # no padding
        b"dGhlIHNhbXBsZSBub25jZQ=",
        b"dGhlIHNhbXBsZSBub25jZQ===",
        b"dGhlIHNhbXBsZSBub25jZ===",
        b"dGhlIHNhbXBsZSBub25jZ-==",  # the alphabet for URLs
        b"dGhlIHNhbXBsZSBub25jZ_==",
        b"dGhlIHNhbXBs SBub25jZQ==",
        b"dGhlIHNhbXBs\nSBub25jZQ==",
        b"dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        b"dGhl=HNhbXBsZSBub25jZQ==",
        b"=GhlIHNhbXBsZSBub25jZQ==",
        b"========================",
        b"dGhlIHNhbXBsZSBub25jZQ\xff=",
        b"not a key",
    ],
)
def test_4_2_1_the_key_is_16_bytes_in_base64(key: bytes | None) -> None:
    assert refusal(request(sec_websocket_key=key)).status == 400


@pytest.mark.parametrize(
    "version", [None, b"", b"0", b"8", b"12", b"14", b"013", b"13.0", b"+13", b"13, 8", b"8, 13", b"x"]
)
def test_4_2_1_the_version_is_13(version: bytes | None) -> None:
    """4.2.2 and 4.4: a server that does not speak the version says which it does."""
    error = refusal(request(sec_websocket_version=version))
    assert error.status == 426
    assert ("Sec-WebSocket-Version", "13") in error.headers
    assert ("Upgrade", "websocket") in error.headers


def test_4_2_1_header_names_are_compared_in_any_case() -> None:
    assert accept(b"GET", "1.1", [(name.upper(), value) for name, value in REQUEST]) == RESPONSE
    assert accept(b"GET", "1.1", [(name.lower(), value) for name, value in REQUEST]) == RESPONSE
    assert is_upgrade([(b"UPGRADE", b"websocket")])


def test_4_2_1_headers_come_in_any_order() -> None:
    assert accept(b"GET", "1.1", REQUEST[::-1]) == RESPONSE


def test_4_2_1_origin_protocol_and_extensions_are_optional() -> None:
    assert accept(b"GET", "1.1", request(origin=None, sec_websocket_protocol=None)) == RESPONSE


def test_4_2_1_other_headers_are_ignored() -> None:
    headers = request(cookie=[b"a=1", b"b=2"], x_unknown=b"\xff\x80", authorization=b"Bearer x")
    assert accept(b"GET", "1.1", headers) == RESPONSE


def test_4_2_1_values_may_have_white_space_around_them() -> None:
    assert accept(b"GET", "1.1", [(name, b" \t" + value + b"\t ") for name, value in REQUEST]) == RESPONSE


@pytest.mark.parametrize("length", [b"1", b"10", b"-1", b"x", b"", b"0, 1"])
def test_4_2_1_a_request_with_a_body_is_refused(length: bytes) -> None:
    assert refusal(request(content_length=length)).status == 400


@pytest.mark.parametrize("coding", [b"chunked", b"identity", b""])
def test_4_2_1_a_transfer_coding_is_refused(coding: bytes) -> None:
    assert refusal(request(transfer_encoding=coding)).status == 400


def test_4_2_1_a_declared_empty_body_is_fine() -> None:
    assert accept(b"GET", "1.1", request(content_length=b"0")) == RESPONSE


def test_4_2_1_no_header_at_all_is_refused() -> None:
    assert refusal([]).status == 400
    assert not is_upgrade([])


# 4.2.2 Sending the server's opening handshake


@pytest.mark.parametrize("nonce", [bytes(16), b"\xff" * 16, bytes(range(16)), b"\xfb\xef\xbe" * 5 + b"\xfb"])
def test_4_2_2_the_accept_value_hashes_key_and_guid(nonce: bytes) -> None:
    key = base64.b64encode(nonce)
    proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    response = accept(b"GET", "1.1", request(sec_websocket_key=key))
    assert b"\r\nSec-WebSocket-Accept: %b\r\n" % proof in response


def test_4_2_2_the_accept_value_hashes_the_sent_key() -> None:
    """Unused bits of the last character are not ours to judge; they are hashed as they came."""
    response = accept(b"GET", "1.1", request(sec_websocket_key=b"dGhlIHNhbXBsZSBub25jZR=="))
    assert response != RESPONSE
    assert response.startswith(b"HTTP/1.1 101 ")


def test_4_2_2_no_protocol_and_no_extension_is_negotiated() -> None:
    headers = request(
        sec_websocket_protocol=[b"chat", b"superchat"],
        sec_websocket_extensions=[b"permessage-deflate; client_max_window_bits", b"foo"],
    )
    assert accept(b"GET", "1.1", headers) == RESPONSE


# 11.3 Registration of new header fields


def test_11_3_1_the_key_appears_only_once() -> None:
    assert refusal(request(sec_websocket_key=[b"dGhlIHNhbXBsZSBub25jZQ=="] * 2)).status == 400


def test_11_3_5_the_version_appears_only_once() -> None:
    assert refusal(request(sec_websocket_version=[b"13", b"13"])).status == 400
    assert refusal(request(sec_websocket_version=[b"8", b"13"])).status == 400


def test_a_length_does_not_appear_more_than_once() -> None:
    """RFC 9112, 6.3: the server and a proxy before it could disagree about where the head ends."""
    assert refusal(request(content_length=[b"0", b"0"])).status == 400
