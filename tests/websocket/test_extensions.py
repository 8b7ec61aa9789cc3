"""The negotiation of `permessage-deflate`: RFC 7692, sections 5 and 7.1, and RFC 6455, section 9.1."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import InvalidHeaderFormat
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.headers import parse_extension

from sockudo.websocket.extensions import Agreement, negotiate
from sockudo.websocket.handshake import HandshakeError

ANSWER = b"permessage-deflate; server_no_context_takeover; client_no_context_takeover"
WHOLE = Agreement(ANSWER, 15)
SMALL = Agreement(ANSWER + b"; server_max_window_bits=9", 9)

OFFERS = {
    "plain": (b"permessage-deflate", WHOLE),
    "a browser": (b"permessage-deflate; client_max_window_bits", WHOLE),
    "no blanks": (b"permessage-deflate;client_max_window_bits=15", WHOLE),
    "tabs": (b"\tpermessage-deflate\t;\tclient_max_window_bits\t=\t12\t", WHOLE),
    "in any case": (b"PerMessage-Deflate", WHOLE),
    "everything": (
        b"permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=8; "
        b"server_max_window_bits=15",
        Agreement(ANSWER + b"; server_max_window_bits=15", 15),
    ),
    "a small window": (b"permessage-deflate; server_max_window_bits=9", SMALL),
    "a window between": (b"permessage-deflate; server_max_window_bits=12", SMALL),
    "a quoted value": (b'permessage-deflate; server_max_window_bits="10"', SMALL),
    "a quoted value with a backslash": (b'permessage-deflate; server_max_window_bits="1\\0"', SMALL),
    "other extensions before": (b'x-webkit-deflate-frame, mux; a="b"; c, permessage-deflate', WHOLE),
    "empty elements": (b" ,, permessage-deflate ,", WHOLE),
    "the second of two offers": (b"permessage-deflate; server_max_window_bits=8, permessage-deflate", WHOLE),
    "the first of two offers": (b"permessage-deflate; server_max_window_bits=10, permessage-deflate", SMALL),
    "an unknown parameter, then another offer": (b"permessage-deflate; level=9, permessage-deflate", WHOLE),
    "nothing": (b"", None),
    "another extension": (b"x-webkit-deflate-frame", None),
    "an unknown parameter": (b"permessage-deflate; level=9", None),
    "a parameter twice": (b"permessage-deflate; client_max_window_bits; client_max_window_bits=10", None),
    "a value too many": (b"permessage-deflate; server_no_context_takeover=1", None),
    "another value too many": (b"permessage-deflate; client_no_context_takeover=true", None),
    "a value missing": (b"permessage-deflate; server_max_window_bits", None),
    "a window that zlib has not": (b"permessage-deflate; server_max_window_bits=8", None),
    "a window too small": (b"permessage-deflate; client_max_window_bits=7", None),
    "a window too large": (b"permessage-deflate; server_max_window_bits=16", None),
    "a leading zero": (b"permessage-deflate; server_max_window_bits=09", None),
    "no number": (b"permessage-deflate; client_max_window_bits=x", None),
}
MALFORMED = [
    b"permessage-deflate;",
    b"permessage-deflate; =1",
    b"permessage-deflate; client_max_window_bits=",
    b"permessage-deflate client_max_window_bits",
    b'permessage-deflate; server_max_window_bits="10',
    b'permessage-deflate; server_max_window_bits=""',
    b'permessage-deflate; server_max_window_bits="1 0"',
    b"permessage-deflate; a=b c",
    b"permessage-deflate, ;",
    b"permessage/deflate",
    b"permessage-deflate; \xe4",
]


@pytest.mark.parametrize("name", OFFERS)
def test_the_first_offer_that_can_be_met_counts(name: str) -> None:
    offers, agreement = OFFERS[name]
    assert negotiate(offers) == agreement


@pytest.mark.parametrize("offers", MALFORMED)
def test_9_1_a_header_that_is_no_list_is_400(offers: bytes) -> None:
    with pytest.raises(HandshakeError, match="Sec-WebSocket-Extensions") as refused:
        negotiate(offers)
    assert refused.value.status == 400
    with pytest.raises(HandshakeError):
        negotiate(b"permessage-deflate, " + offers)


@pytest.mark.parametrize("server_bits", [None, *range(9, 16)])
@pytest.mark.parametrize("client_bits", [None, True, *range(9, 16)])
@pytest.mark.parametrize("takeover", [False, True])
def test_websockets_accepts_every_answer_to_its_offers(
    server_bits: int | None, client_bits: int | bool | None, takeover: bool
) -> None:
    factory = ClientPerMessageDeflateFactory(takeover, takeover, server_bits, client_bits)
    parameters = [name if value is None else f"{name}={value}" for name, value in factory.get_request_params()]
    offered = "; ".join(["permessage-deflate", *parameters])
    agreement = negotiate(offered.encode())
    assert agreement is not None
    ((name, answered),) = parse_extension(agreement.answer.decode())
    assert name == "permessage-deflate"
    made = factory.process_response_params(answered, [])
    assert made.remote_no_context_takeover
    assert made.local_no_context_takeover
    assert made.remote_max_window_bits >= agreement.window_bits


_words = st.sampled_from([b"permessage-deflate", b"a", b"client_max_window_bits", *(b"%c" % c for c in b';,="\\ 9')])


@settings(deadline=None, derandomize=True, max_examples=500)
@given(st.lists(_words, max_size=12).map(b"".join))
def test_what_is_malformed_is_so_for_websockets_too(offers: bytes) -> None:
    # The library wants one element at least.
    offers = b"a," + offers
    try:
        negotiate(offers)
    except HandshakeError:
        malformed = True
    else:
        malformed = False
    try:
        parse_extension(offers.decode())
    except InvalidHeaderFormat:
        assert malformed
    else:
        assert not malformed
