from __future__ import annotations

import pytest

from sockudo.pusher.errors import (
    CloseConnection,
    CommandRejected,
    PusherError,
    RequestRejected,
    SubscriptionRejected,
)


@pytest.mark.parametrize(
    "error",
    [
        CloseConnection(4001, "text"),
        CommandRejected("text"),
        SubscriptionRejected("news", "AuthError", "text", 401),
        RequestRejected(400, "text"),
    ],
)
def test_every_refusal_has_its_text_for_the_peer(error: PusherError) -> None:
    assert error.message == "text"
    assert str(error) == "text"


def test_a_refusal_carries_what_the_protocol_needs_to_tell_it() -> None:
    assert CloseConnection(4001, "text").code == 4001
    rejected = CommandRejected("text", 4301, "private-x")
    assert (rejected.code, rejected.channel) == (4301, "private-x")
    subscription = SubscriptionRejected("news", "AuthError", "text", 401)
    assert (subscription.channel, subscription.kind, subscription.status) == ("news", "AuthError", 401)
    request = RequestRejected(429, "text", retry_after=2)
    assert (request.status, request.retry_after) == (429, 2)


def test_a_frame_can_be_refused_without_code_and_channel() -> None:
    rejected = CommandRejected("text")
    assert (rejected.code, rejected.channel) == (None, None)
