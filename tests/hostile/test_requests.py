"""HTTP that is malformed, ambiguous or absurd: it is refused, and nothing that comes with it is run as a request."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl

import pytest

from tests.clients.attack import Attacker, Bystander, Target, exchange, smuggled_request
from tests.clients.client import ApiClient, http
from tests.clients.frames import TEXT, masked_frame
from tests.clients.raw import upgrade_bytes
from tests.fakes.http_socket import read_answers
from tests.servers.server import SECRET

GET = b"GET /up HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /apps/1/events HTTP/1.1\r\nHost: x\r\n"
LIST = b"GET /apps/1/channels?auth_key=app-key&%b HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def client_hello() -> bytes:
    """Return what a TLS client sends first."""
    context, out = ssl.create_default_context(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="x").do_handshake()
    return out.read()


# After each of these it is not known, or not agreed on, where the next request begins.
REFUSED = {
    "length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two different lengths": POST + b"Content-Length: 2\r\nContent-Length: 500\r\n\r\n{}",
    "list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "negative length": POST + b"Content-Length: -1\r\n\r\n",
    "signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "hex length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "underscore length": POST + b"Content-Length: 1_0\r\n\r\n{}",
    "empty length": POST + b"Content-Length:\r\n\r\n",
    "length of two words": POST + b"Content-Length: 2 2\r\n\r\n{}",
    "length of 2^64": POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    "length of 2^63": POST + b"Content-Length: 9223372036854775808\r\n\r\n",
    "length of 400 digits": POST + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n",
    "zeros before the length": POST + b"Content-Length: " + b"0" * 400 + b"2\r\n\r\n{}",
    "length of 11 MB": POST + b"Content-Length: 11534336\r\n\r\n",
    "folded header": GET + b"X: a\r\n b\r\n\r\n",
    "folded length": POST + b"Content-Length:\r\n 2\r\n\r\n{}",
    "fold after the request line": b"GET /up HTTP/1.1\r\n X: a\r\nHost: x\r\n\r\n",
    "bare LF": b"GET /up HTTP/1.1\nHost: x\n\n",
    "bare LF in a header": GET + b"X: a\nY: b\r\n\r\n",
    "bare LF at the end": GET + b"\n",
    "bare CR": GET + b"X: a\rY: b\r\n\r\n",
    "bare CR lines": b"GET /up HTTP/1.1\rHost: x\r\r",
    "NUL in a value": GET + b"X: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X\0: a\r\n\r\n",
    "control character in a value": GET + b"X: a\x01b\r\n\r\n",
    "space before colon": b"GET /up HTTP/1.1\r\nHost : x\r\n\r\n",
    "space before the colon of the length": POST + b"Content-Length : 2\r\n\r\n{}",
    "space in a name": GET + b"X Y: a\r\n\r\n",
    "empty name": GET + b": a\r\n\r\n",
    "no colon": GET + b"nothing\r\n\r\n",
    "name not ASCII": GET + b"\xc3\xa9: a\r\n\r\n",
    "no host": b"GET /up HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: y\r\n\r\n",
    "no host in HTTP/2.0": b"GET /up HTTP/2.0\r\n\r\n",
    "HTTP/0.9": b"GET /up\r\n\r\n",
    "HTTP/0.9 named": b"GET /up HTTP/0.9\r\n\r\n",
    "HTTP/1.2": b"GET /up HTTP/1.2\r\nHost: x\r\n\r\n",
    "HTTP/11.1": b"GET /up HTTP/11.1\r\nHost: x\r\n\r\n",
    "http in lower case": b"GET /up http/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    "TLS": client_hello(),
    "SOCKS": b"\x05\x01\x00",
    "lower-case method": b"get /up HTTP/1.1\r\nHost: x\r\n\r\n",
    "unknown method": b"BREW /up HTTP/1.1\r\nHost: x\r\n\r\n",
    "long method": b"G" * 50_000 + b" /up HTTP/1.1\r\nHost: x\r\n\r\n",
    "no URL": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "blank in the URL": b"GET /u p HTTP/1.1\r\nHost: x\r\n\r\n",
    "tab in the URL": b"GET /u\tp HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in the URL": b"GET /u\0p HTTP/1.1\r\nHost: x\r\n\r\n",
    "UTF-8 in the path": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
    "not UTF-8 in the path": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "not UTF-8 in the query": b"GET /up?a=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "absolute form without a host": b"GET http:///up HTTP/1.1\r\nHost: x\r\n\r\n",
    "absolute form with a login": b"GET http://a:b@elsewhere/up HTTP/1.1\r\nHost: x\r\n\r\n",
    "absolute form without a host header": b"GET http://elsewhere/up HTTP/1.1\r\n\r\n",
    "trailer without end": CHUNKED + b"1\r\nx\r\n0\r\nA: " + b"a" * 1_000_000,
    "trailer name without end": CHUNKED + b"0\r\n" + b"a" * 1_000_000,
    "chunk extension without end": CHUNKED + b"1;" + b"a" * 1_000_000,
    "chunk size without end": CHUNKED + b"0" * 1_000_000,
    "large extensions of tiny chunks": CHUNKED + (b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 1000,
    "CONNECT": b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
    "CONNECT with a length": b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 5\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
    "not chunked at the end": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "twice chunked": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "nearly chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "quoted chunked": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "vertical tab before chunked": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunk of 2^68": CHUNKED + b"fffffffffffffffff\r\n",
    "chunk of 2^63": CHUNKED + b"7fffffffffffffff\r\n" + b"x" * 100,
    "negative chunk": CHUNKED + b"-1\r\nx\r\n0\r\n\r\n",
    "0x chunk": CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n",
    "chunk with blank": CHUNKED + b"1 \r\nx\r\n0\r\n\r\n",
    "chunk without its end": CHUNKED + b"1\r\nxx\r\n0\r\n\r\n",
    "chunk lines of LF": CHUNKED + b"1\nx\n0\n\n",
    "empty chunk size": CHUNKED + b"\r\n\r\n",
    "chunk extension with NUL": CHUNKED + b"1;\0\r\nx\r\n0\r\n\r\n",
    "length in a trailer": CHUNKED + b"0\r\nContent-Length: 500\r\n\r\n",
    "trailers of 20 KB": CHUNKED + b"0\r\n" + b"X: yyyyyyyyyyyyyyyyyyyyyy\r\n" * 1000 + b"\r\n",
    "head of 1 MB without a line end": GET + b"X: " + b"a" * 1_000_000,
    "10 000 headers": GET + b"X: y\r\n" * 10_000 + b"\r\n",
    "URL of 64 KB": b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "query of 64 KB": b"GET /up?" + b"a=b&" * 16_384 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "WebSocket of version 8": upgrade_bytes("/app/app-key").replace(b"Version: 13", b"Version: 8"),
    "WebSocket without a key": upgrade_bytes("/app/app-key").replace(b"Sec-WebSocket-Key", b"X-Key"),
}

# `2^63 - 1` bytes in a chunk are too much, and only that is known until they come.
SILENT = {"chunk of 2^63"}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_refused_is_4xx_and_smuggles_nothing(name: str, target: Target, witness: Bystander) -> None:
    raw = await exchange(target.port, REFUSED[name] + smuggled_request(target.port), half_close=name in SILENT)
    answers = read_answers(raw)
    assert [answer.status // 100 for answer in answers] == ([] if name in SILENT else [4])
    for answer in answers:
        assert answer.headers["connection"] == "close"
        told = json.loads(answer.body)
        assert told["code"] == answer.status
        assert len(answer.body) < 500
        assert SECRET not in told["error"]
        assert "line " not in told["error"]


# These are whole requests: refused where they ask for nothing that there is, and the next one is a request again.
WHOLE = {
    "absolute form": b"GET http://elsewhere/none HTTP/1.1\r\nHost: x\r\n\r\n",
    "TRACE": b"TRACE /up HTTP/1.1\r\nHost: x\r\n\r\n",
    "DELETE with a body": b"DELETE /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    "SOURCE": b"SOURCE /up HTTP/1.1\r\nHost: x\r\n\r\n",
    "%00": b"GET /apps/%00/channels HTTP/1.1\r\nHost: x\r\n\r\n",
    "broken percent": b"GET /apps/%/channels/%zz/%f HTTP/1.1\r\nHost: x\r\n\r\n",
    "percent not UTF-8": b"GET /apps/1/channels/%ff%fe?auth_key=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    "dots": b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "encoded slash": b"GET /apps%2f1%2fchannels HTTP/1.1\r\nHost: x\r\n\r\n",
    "many slashes": b"GET " + b"/" * 8000 + b"x HTTP/1.1\r\nHost: x\r\n\r\n",
    "many parameters": b"GET /apps/1/channels?" + b"a&" * 7000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "timestamp of 400 digits": LIST % (b"auth_timestamp=" + b"9" * 400),
    "timestamp in other digits": LIST % b"auth_timestamp=%D9%A1",
    "signature not ASCII": LIST % b"auth_timestamp=1&auth_signature=%E9",
    "auth twice": b"GET /apps/1/channels?auth_key=app-key&auth_key=app-key HTTP/1.1\r\nHost: x\r\n\r\n",
    "chunk extensions": CHUNKED + b"2;a=b;c\r\n{}\r\n0;d\r\n\r\n",
    "long chunk extension": CHUNKED + b"2;" + b"a" * 10_000 + b"\r\n{}\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"0\r\nHost: y\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
    "upgrade to h2c with a body": POST
    + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 53\r\n\r\n"
    + b"POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Len: 0\r\n",
    "blanks after the URL": b"GET /none     HTTP/1.1\r\nHost: x\r\n\r\n",
    "host of nonsense": b"GET /none HTTP/1.1\r\nHost: @@@/?\r\n\r\n",
}


@pytest.mark.parametrize("name", WHOLE)
async def test_a_bad_request_is_4xx_and_the_next_is_answered(name: str, target: Target, witness: Bystander) -> None:
    raw = await exchange(target.port, WHOLE[name] + GET + b"Connection: close\r\n\r\n")
    first, second = read_answers(raw)
    assert first.status // 100 == 4
    assert len(first.body) < 500
    assert (second.status, second.body) == (200, b"OK")


async def test_a_client_still_uploading_receives_the_answer(target: Target) -> None:
    # 413 is decided by the declared length; a socket that is closed on unread bytes would lose the answer.
    for _ in range(5):
        head = POST + b"Content-Length: 30000000\r\n\r\n"
        (answer,) = read_answers(await exchange(target.port, head + b"x" * 8_000_000, half_close=True))
        assert answer.status == 413


@pytest.mark.parametrize(("is_signed", "status"), [(True, 413), (False, 401)])
async def test_a_body_over_the_limit_in_chunks_is_refused(
    is_signed: bool, status: int, target: Target, witness: Bystander
) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    head = CHUNKED
    if is_signed:
        signed = ApiClient(target.port).target("POST", "/events", b"x" * 0x100000 * 11)
        head = head.replace(b"/apps/1/events", signed.encode())
    (answer,) = read_answers(await exchange(target.port, head + chunk * 11 + smuggled_request(target.port)))
    assert answer.status == status


async def test_log_lines_name_no_secret_and_repeat_no_kilobytes(target: Target) -> None:
    long = "x" * 8000
    for path in (f"/apps/{long}/events", f"/{long}", f"/apps/1/channels/{long}?auth_signature={SECRET}"):
        assert (await http(target.port, "GET", path)).status in (401, 404, 405)
    await exchange(target.port, upgrade_bytes("/app/" + long, {"Origin": long}), half_close=True)
    target.check()


async def test_pipelined_requests_whose_answers_nobody_reads_stop_being_read(target: Target) -> None:
    request = ApiClient(target.port).target("GET", "/channels").encode()
    flood = (b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % request) * 1000
    attackers = [Attacker(target.port, receive_buffer=4096) for _ in range(10)]
    before = target.rss
    try:
        for attacker in attackers:
            sent = stuck = 0
            # The server has stopped reading when the network takes no more for a while.
            while stuck < 30 and sent < 100 << 20:
                taken = attacker.try_to_send(flood)
                sent += taken
                stuck = 0 if taken else stuck + 1
                if not taken:
                    await http(target.port, "GET", "/up")
            assert sent < 50 << 20
        assert target.rss - before < len(attackers) * (6 << 20)
        assert (await http(target.port, "GET", "/up")).status == 200
    finally:
        for attacker in attackers:
            attacker.reset()


async def test_frames_behind_a_refused_handshake_are_no_requests(target: Target, witness: Bystander) -> None:
    bad = upgrade_bytes("/app/app-key").replace(b"Version: 13", b"Version: 99")
    frame = masked_frame(TEXT, smuggled_request(target.port), key=b"\0\0\0\0")
    (answer,) = read_answers(await exchange(target.port, bad + frame + smuggled_request(target.port)))
    assert answer.status == 426


async def test_many_at_once_change_nothing(target: Target, witness: Bystander) -> None:
    shapes = [data for name, data in REFUSED.items() if name not in SILENT]
    raws = await asyncio.gather(*(exchange(target.port, data) for data in shapes * 3))
    assert {answer.status // 100 for raw in raws for answer in read_answers(raw)} == {4}


async def test_bodies_that_nobody_has_signed_take_no_memory(target: Target, witness: Bystander) -> None:
    heads = [
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n",
        b"POST /apps/nobody/events HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n",
        POST + b"Content-Length: 10000000\r\n\r\n",
        CHUNKED + b"%x\r\n" % 10_000_000,
    ]
    before = target.rss
    attackers = [Attacker(target.port) for _ in range(100)]
    try:
        for attacker, head in zip(attackers, heads * 25, strict=True):
            await attacker.send(head + b"x" * 2_000_000)
            assert (await attacker.receive()).startswith(b"HTTP/1.1 40")
        assert target.rss - before < 40 << 20
    finally:
        for attacker in attackers:
            attacker.reset()


async def test_a_compressed_body_is_never_unpacked(target: Target, witness: Bystander) -> None:
    bomb = gzip.compress(b'{"name":"e","channel":"news","data":"' + b"x" * 20_000_000 + b'"}')
    rss = target.rss
    for coding in ("gzip", "x-gzip", "deflate", "br"):
        path = ApiClient(target.port).target("POST", "/events", bomb)
        answer = await http(target.port, "POST", path, bomb, {"Content-Encoding": coding})
        assert answer.status == 400, answer
    assert target.rss - rss < 10_000_000
