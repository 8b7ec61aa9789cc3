from __future__ import annotations

import pytest

from sockudo.api.messages import EMPTY_OBJECT
from tests.clients.api import Api, error_of
from tests.fakes.node import make_app


@pytest.fixture
def api() -> Api:
    return Api(make_app(enable_user_authentication=True))


@pytest.mark.parametrize("body", [b"", b"{}", b"not JSON"])
def test_every_connection_of_a_user_is_ended_whatever_the_body(api: Api, body: bytes) -> None:
    first, second, other = (api.world.connect() for _ in range(3))
    first.sign_in("7")
    second.subscribe("presence-x", "7")
    other.sign_in("8")
    assert api.post("/users/7/terminate_connections", body) is EMPTY_OBJECT
    assert [client.wire.closed for client in (first, second, other)] == [
        [(4009, "User terminated by app.")],
        [(4009, "User terminated by app.")],
        [],
    ]


def test_a_user_id_may_be_escaped(api: Api) -> None:
    client = api.world.connect()
    client.sign_in("a/b é")
    assert api.post("/users/a%2Fb%20%C3%A9/terminate_connections") is EMPTY_OBJECT
    assert not client.connection.is_open


def test_a_user_that_nobody_knows_is_fine(api: Api) -> None:
    assert api.post("/users/nobody/terminate_connections") is EMPTY_OBJECT


def test_every_connection_of_a_user_is_sent_to_reconnect(api: Api) -> None:
    first, second, other = (api.world.connect() for _ in range(3))
    first.sign_in("7")
    second.subscribe("presence-x", "7")
    other.sign_in("8")
    assert api.post("/users/7/force_reconnect") is EMPTY_OBJECT
    assert [client.wire.closed for client in (first, second, other)] == [
        [(4200, "Force reconnect requested by the app.")],
        [(4200, "Force reconnect requested by the app.")],
        [],
    ]


@pytest.mark.parametrize("what", ["terminate_connections", "force_reconnect"])
@pytest.mark.parametrize("user_id", ["", "%20"])
def test_an_empty_user_id_is_refused(api: Api, user_id: str, what: str) -> None:
    assert error_of(api.post(f"/users/{user_id}/{what}")) == (
        400,
        "Invalid request: 'user_id' cannot be empty.",
    )


def test_users_of_another_app_are_not_touched() -> None:
    api = Api(make_app(), make_app(id="other", key="other-key", enable_user_authentication=True))
    client = api.world.connect(key="other-key")
    client.subscribe("news")
    assert api.post("/users/7/terminate_connections") is EMPTY_OBJECT
    assert client.connection.is_open
