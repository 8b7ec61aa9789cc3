from __future__ import annotations

from sockudo.api.call import Call
from sockudo.api.messages import Request
from sockudo.pusher.query import parse_query
from tests.fakes.node import make_app


def test_a_call_without_names_has_none() -> None:
    app, request, query = make_app(), Request("GET", "/"), parse_query("a=1")
    assert Call(app, request, query) == (app, request, query, ())
