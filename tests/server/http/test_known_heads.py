from __future__ import annotations

from sockudo.server.http.known_heads import MAX_HEADS, KnownHeads

FIELDS = [(b"Host", b"x")]


def request(target: bytes = b"/a", host: bytes = b"x", body: bytes = b"{}") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n%b" % (target, host, len(body), body)


def test_a_head_serves_other_targets_and_bodies() -> None:
    heads = KnownHeads()
    heads.learn(request(), b"/a", 2, FIELDS)
    assert heads.find(request(b"/other?b=c", body=b"[]")) == (b"/other?b=c", b"[]", FIELDS)
    assert heads.find(request(host=b"y")) is None
    assert heads.find(request(body=b"{ }")) is None


def test_only_one_whole_request_has_a_known_head() -> None:
    heads = KnownHeads()
    heads.learn(request(), b"/a", 2, FIELDS)
    whole = request()
    for data in (whole[:-1], whole + b"P", whole * 2, whole[1:], b"", b"POST ", b" HTTP/1.1\r\n", b"\r\n\r\n"):
        assert heads.find(data) is None


def test_what_is_not_one_whole_request_is_not_learned() -> None:
    heads = KnownHeads()
    heads.learn(request() * 2, b"/a", 2, FIELDS)
    heads.learn(b"\r\n" + request(), b"/a", 2, FIELDS)
    heads.learn(request(), b"/ab", 2, FIELDS)
    heads.learn(request(), b"/a", 1, FIELDS)
    assert len(heads) == 0


def test_the_oldest_head_makes_room() -> None:
    heads = KnownHeads()
    for number in range(MAX_HEADS + 1):
        heads.learn(request(host=b"%d" % number), b"/a", 2, FIELDS)
    assert len(heads) == MAX_HEADS
    assert heads.find(request(host=b"0")) is None
    assert heads.find(request(host=b"1")) is not None
