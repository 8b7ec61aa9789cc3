from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.node.limits import NodeLimits
from tests.clients.signing import sign
from tests.fakes.node import KEY, SECRET, Client, World, data_of, make_app
from tests.fakes.wire import Frame
from tests.support.properties import THOROUGH

SUCCEEDED = "pusher_internal:subscription_succeeded"


@pytest.fixture
def world() -> World:
    return World(make_app(enable_user_authentication=True))


@pytest.fixture
def client(world: World) -> Client:
    return world.connect()


def presence(frames: list[Frame]) -> Any:
    """Return the members in a success."""
    assert frames[0]["event"] == SUCCEEDED, frames
    return data_of(frames[0])["presence"]


def rejected(client: Client, frames: list[Frame]) -> dict[str, Any]:
    """Check that a subscription was refused, and return type, status and text of the refusal."""
    first, second = frames
    assert (first["event"], second["event"]) == ("pusher:subscription_error", "pusher:error")
    assert second["data"] == {"code": None, "message": first["data"]["error"]}
    assert client.connection.is_open
    assert client.wire.closed == []
    return dict(first["data"])


def assert_on_nothing(client: Client) -> None:
    assert not client.connection.subscriptions


@pytest.mark.parametrize("name", ["news", "private-x", "private-encrypted-x", "#other"])
def test_a_success_has_an_empty_object_as_text(client: Client, name: str) -> None:
    assert client.subscribe(name) == [{"event": SUCCEEDED, "channel": name, "data": "{}"}]


@pytest.mark.parametrize(
    "name",
    [
        "private-x",
        "private-cache-x",
        "private-my-cache-x",
        "private-encrypted-x",
        "private-encrypted-cache-x",
        "presence-x",
        "presence-cache-x",
    ],
)
def test_every_private_and_presence_channel_needs_a_valid_signature(client: Client, name: str) -> None:
    data = {"channel_data": '{"user_id":"1"}'} if name.startswith("presence-") else {}
    error = rejected(client, client.subscribe(name, auth="", **data))
    assert (error["type"], error["status"]) == ("AuthError", 401)
    assert error["error"] == "Authentication signature required for this channel"
    error = rejected(client, client.subscribe(name, auth=f"{KEY}:{'0' * 64}", **data))
    assert (error["type"], error["status"]) == ("AuthError", 401)
    assert error["error"].startswith("Invalid signature: auth must be KEY:SIGNATURE")
    assert_on_nothing(client)


def test_a_signature_opens_one_channel_for_one_socket(world: World, client: Client) -> None:
    other = world.connect()
    for auth in (
        f"{KEY}:{sign(f'{other.socket_id}:private-x', SECRET)}",
        f"{KEY}:{sign(f'{client.socket_id}:private-y', SECRET)}",
        f"other:{sign(f'{client.socket_id}:private-x', SECRET)}",
        f"{KEY}:{sign(f'{client.socket_id}:private-x', 'other')}",
        sign(f"{client.socket_id}:private-x", SECRET),
    ):
        assert rejected(client, client.subscribe("private-x", auth=auth))["type"] == "AuthError"
    assert_on_nothing(client)


def test_an_app_cannot_be_joined_with_the_signature_of_another() -> None:
    world = World(make_app(), make_app(id="other", key="other-key", secret="other-secret"))
    client = world.connect(key="other-key")
    assert rejected(client, client.subscribe("private-x"))["type"] == "AuthError"


def test_channel_data_is_signed_on_private_channels_too(client: Client) -> None:
    assert client.subscribe("private-x", user_id="1")[0]["event"] == SUCCEEDED
    unsigned = f"{KEY}:{sign(f'{client.socket_id}:private-y', SECRET)}"
    assert rejected(client, client.subscribe("private-y", auth=unsigned, channel_data="{}"))["type"] == "AuthError"


KINDS = ["private-", "private-cache-", "private-encrypted-", "private-encrypted-cache-", "presence-", "presence-cache-"]


@pytest.mark.parametrize("prefix", KINDS[:4])
@pytest.mark.parametrize("data", ["42", "a:b", "[1]", "null", '"{}"', " {}", "{", "{} x", '{"a":1', "x{}"])
def test_channel_data_that_is_no_object_opens_no_channel(client: Client, prefix: str, data: str) -> None:
    # What a back end signs for the channel `PREFIXorders:DATA`, where that is a name.
    auth = f"{KEY}:{sign(f'{client.socket_id}:{prefix}orders:{data}', SECRET)}"
    error = rejected(client, client.subscribe(prefix + "orders", auth=auth, channel_data=data))
    assert (error["type"], error["status"]) == ("InvalidMessage", 400)
    assert "must be a JSON object" in error["error"]
    assert_on_nothing(client)


@pytest.mark.parametrize("nothing", [None, ""])
def test_absent_channel_data_is_not_signed(client: Client, nothing: str | None) -> None:
    auth = f"{KEY}:{sign(f'{client.socket_id}:private-x', SECRET)}"
    assert client.subscribe("private-x", auth=auth, channel_data=nothing)[0]["event"] == SUCCEEDED


names = st.builds(
    lambda prefix, rest: prefix + "".join(rest),
    st.sampled_from(KINDS),
    st.lists(st.sampled_from([":", "::", "user", "42", "a", "#", ":user:", "private-", "1.1"]), min_size=1, max_size=5),
)
objects = st.sampled_from(["{}", '{"user_id":"1"}', '{"user_id":1,"id":":"}', '{"id":"1"}', ' {"user_id":"2"}'])
signed_texts = st.tuples(names, st.none() | objects) | st.tuples(st.none(), objects)


@THOROUGH
@given(signed_texts)
def test_no_signature_opens_anything_but_what_was_signed(signed: tuple[str | None, str | None]) -> None:
    channel, data = signed
    world = World(make_app(enable_user_authentication=True))
    rest = f":user::{data}" if channel is None else channel if data is None else f"{channel}:{data}"

    def attacker() -> tuple[Client, str]:
        client = world.connect()
        return client, f"{KEY}:{sign(f'{client.socket_id}:{rest}', SECRET)}"

    # The same text, cut elsewhere into a channel and data.
    for at in [at for at, character in enumerate(rest) if character == ":"] + [len(rest)]:
        name, other = rest[:at], rest[at + 1 :] or None
        if (name, other) != signed and name.startswith(tuple(KINDS)):
            client, auth = attacker()
            client.subscribe(name, auth=auth, channel_data=other)
            assert_on_nothing(client)
    # And taken for the text of a sign-in.
    for at in range(len(rest)):
        if signed != (None, rest[at:]):
            client, auth = attacker()
            client.send("pusher:signin", {"auth": auth, "user_data": rest[at:]})
            assert client.connection.user is None


@pytest.mark.parametrize("name", ["", "a b", "ümlaut", "x" * 101, "private-" + "x" * 100])
def test_a_bad_name_is_an_invalid_channel(client: Client, name: str) -> None:
    error = rejected(client, client.subscribe(name))
    assert (error["type"], error["status"]) == ("InvalidChannel", 400)


def test_a_name_of_any_length_is_not_sent_back_whole(client: Client) -> None:
    assert len(client.subscribe("x" * 5000)[0]["channel"]) == 200


def test_a_presence_channel_tells_its_members(world: World, client: Client) -> None:
    other = world.connect()
    assert presence(other.subscribe("presence-x", "2", {"name": "B"})) == {
        "count": 1,
        "ids": ["2"],
        "hash": {"2": {"name": "B"}},
    }
    assert presence(client.subscribe("presence-x", "1"))["hash"] == {"2": {"name": "B"}, "1": {}}


@pytest.mark.parametrize(("user_id", "text"), [(10, "10"), (-1, "-1"), (10.0, "10"), (2**53 + 1, "9007199254740993")])
def test_a_numeric_user_id_becomes_its_decimal_text(client: Client, user_id: object, text: str) -> None:
    assert presence(client.subscribe("presence-x", user_id))["ids"] == [text]


@pytest.mark.parametrize(("number", "text"), [("7", "7"), ("7.0", "7"), ("7e2", "700"), ("-7.50", "-7.5")])
def test_a_numeric_id_signs_in_by_its_decimal_text(world: World, client: Client, number: str, text: str) -> None:
    watcher = world.connect()
    user_data = f'{{"id": {number} ,"user_info":{{"name": "A"}}}}'
    auth = f"{KEY}:{sign(f'{client.socket_id}::user::{user_data}', SECRET)}"
    (frame,) = client.send("pusher:signin", {"auth": auth, "user_data": user_data})
    # As text, which client libraries insist on; the rest as it came.
    told = f'{{"id":"{text}","user_info":{{"name": "A"}}}}'
    assert frame == {"event": "pusher:signin_success", "data": {"user_data": told}}
    world.publish(f"#server-to-user-{text}")
    assert client.events() == ["event"]
    assert presence(client.subscribe("presence-x"))["hash"] == {text: {"name": "A"}}
    watcher.subscribe("presence-x", "9")
    assert world.queries.users(world.app.id, "presence-x") == [text, "9"]
    world.node.terminate_user(world.app, text)
    assert not client.connection.is_open


def test_a_watchlist_may_name_users_by_number() -> None:
    world = World(make_app(enable_user_authentication=True, enable_watchlist_events=True))
    watcher = world.connect()
    states, _ = watcher.sign_in("1", watchlist=[7, "8", 9.0])
    assert data_of(states) == {"events": [{"name": "offline", "user_ids": ["7", "8", "9"]}]}
    world.connect().sign_in("7")
    assert data_of(watcher.take()[0]) == {"events": [{"name": "online", "user_ids": ["7"]}]}


def test_half_a_character_in_user_info_reaches_members_unchanged(world: World, client: Client) -> None:
    other = world.connect()
    other.subscribe("presence-x", "1")
    data = r'{"user_id":"\ud83d","user_info":{"name":"\ude00"}}'
    hashed = presence(client.subscribe("presence-x", channel_data=data))["hash"]
    assert hashed == {"1": {}, "\ufffd": {"name": "\ude00"}}
    assert data_of(other.take()[0]) == {"user_id": "\ufffd", "user_info": {"name": "\ude00"}}


@pytest.mark.parametrize(
    ("channel_data", "text"),
    [
        ("{", "Invalid channel_data JSON"),
        ("[]", "Invalid channel_data JSON"),
        ('{"user_info":{}}', "Missing user_id in channel_data"),
        ('{"user_id":""}', "'user_id' is empty"),
    ],
)
def test_signed_channel_data_that_identifies_nobody_is_an_invalid_message(
    client: Client, channel_data: str, text: str
) -> None:
    error = rejected(client, client.subscribe("presence-x", channel_data=channel_data))
    assert (error["type"], error["status"]) == ("InvalidMessage", 400)
    assert text in error["error"]
    assert_on_nothing(client)


def test_the_signature_is_looked_at_before_what_was_signed(client: Client) -> None:
    error = rejected(client, client.subscribe("presence-x", auth=f"{KEY}:wrong", channel_data="{"))
    assert error["type"] == "AuthError"


def test_without_channel_data_nobody_can_be_a_member(client: Client) -> None:
    error = rejected(client, client.subscribe("presence-x"))
    assert (error["type"], error["status"]) == ("InvalidMessage", 400)
    assert "Missing channel_data" in error["error"]


def test_who_is_signed_in_needs_no_channel_data(client: Client) -> None:
    client.sign_in("7", user_info={"name": "A"})
    assert presence(client.subscribe("presence-x"))["hash"] == {"7": {"name": "A"}}


def test_who_is_signed_in_still_needs_a_signature(client: Client) -> None:
    client.sign_in("7")
    assert rejected(client, client.subscribe("presence-x", auth=f"{KEY}:wrong"))["type"] == "AuthError"


def test_user_info_may_reach_the_limit_in_bytes() -> None:
    client = World(make_app(max_presence_member_bytes=100)).connect()
    # Two quotes, and two bytes for each character.
    text = json.dumps("é" * 49, ensure_ascii=False)
    assert len(text.encode()) == 100
    fits, too_large = f'{{"user_id":"1","user_info":{text}}}', f'{{"user_id":"1","user_info":{text} }}'
    assert client.subscribe("presence-x", channel_data=fits)[0]["event"] == SUCCEEDED
    assert client.subscribe("presence-y", channel_data=too_large)[0]["event"] == SUCCEEDED
    over = fits.replace("é", "éx", 1)
    error = rejected(client, client.subscribe("presence-z", channel_data=over))
    assert (error["type"], error["status"]) == ("InvalidMessage", 400)
    assert "101 bytes exceeds the limit of 100 bytes (max_presence_member_size_in_kb" in error["error"]


def test_a_full_presence_channel_takes_further_connections_of_its_members() -> None:
    world = World(make_app(max_presence_members=2))
    clients = [world.connect() for _ in range(4)]
    clients[0].subscribe("presence-x", "1")
    clients[1].subscribe("presence-x", "2")
    error = rejected(clients[2], clients[2].subscribe("presence-x", "3"))
    assert (error["type"], error["status"]) == ("LimitReached", 4004)
    assert "the limit is 2 members (max_presence_members_per_channel" in error["error"]
    assert presence(clients[3].subscribe("presence-x", "2"))["count"] == 2
    clients[0].leave()
    assert presence(clients[2].subscribe("presence-x", "3"))["count"] == 2


def test_a_connection_may_join_as_many_channels_as_the_limit() -> None:
    world = World(limits=NodeLimits(max_channels_per_connection=2))
    client = world.connect()
    client.subscribe("a")
    client.subscribe("private-b")
    for name in ("c", "private-c", "presence-c", "cache-c"):
        error = rejected(client, client.subscribe(name, "1" if name.startswith("presence-") else None))
        assert (error["type"], error["status"]) == ("LimitReached", 4004)
        assert "the limit is 2 at a time on one connection (channel_limits.max_channels_per" in error["error"]
    assert client.subscribe("a")[0]["event"] == SUCCEEDED
    assert world.connect().subscribe("c")[0]["event"] == SUCCEEDED
    client.unsubscribe("a")
    assert client.subscribe("c")[0]["event"] == SUCCEEDED


@pytest.mark.parametrize(("limit", "expected"), [(1000, 1000), (0, 1200)])
def test_a_limit_of_zero_channels_is_no_limit(limit: int, expected: int) -> None:
    client = World(limits=NodeLimits(max_channels_per_connection=limit)).connect()
    for number in range(1200):
        client.ask_for(f"c{number}")
    assert client.events().count(SUCCEEDED) == expected


def test_subscribing_again_succeeds_again_and_changes_nothing(world: World) -> None:
    first, second = world.connect(), world.connect()
    for client, user_id in ((first, "1"), (second, "2")):
        client.subscribe("presence-x", user_id)
        client.subscribe("news")
    first.take()
    assert presence(second.subscribe("presence-x", "2"))["ids"] == ["1", "2"]
    assert [frame["event"] for frame in second.subscribe("news")] == [SUCCEEDED]
    assert first.take() == []
    world.publish("news")
    assert (first.events(), second.events()) == (["event"], ["event"])
    second.unsubscribe("presence-x")
    assert first.events() == ["pusher_internal:member_removed"]


def test_subscribing_again_as_somebody_else_changes_nothing(world: World) -> None:
    first, second = world.connect(), world.connect()
    first.subscribe("presence-x", "1")
    second.subscribe("presence-x", "2")
    first.take()
    assert presence(second.subscribe("presence-x", "3"))["ids"] == ["1", "2"]
    assert first.take() == []


@pytest.mark.parametrize("name", ["cache-x", "private-cache-x", "private-encrypted-cache-x"])
def test_a_cache_channel_sends_event_or_miss_after_the_success(world: World, name: str) -> None:
    counting = World(make_app(enable_subscription_count=True))
    success, miss, count = counting.connect().subscribe(name)
    assert (success["event"], count["event"]) == (SUCCEEDED, "pusher_internal:subscription_count")
    assert miss == {"event": "pusher:cache_miss", "channel": name}
    counting.publish(name, "kept")
    counting.clock.advance(5)
    success, event, count = counting.connect().subscribe(name)
    assert (success["event"], count["event"]) == (SUCCEEDED, "pusher_internal:subscription_count")
    assert event == {"event": "event", "channel": name, "data": "kept"}


def test_a_presence_cache_channel_has_members_and_a_last_event(world: World, client: Client) -> None:
    success, miss = client.subscribe("presence-cache-x", "1")
    assert (presence([success])["ids"], miss["event"]) == (["1"], "pusher:cache_miss")
    world.publish("presence-cache-x", "kept")
    _, event = world.connect().subscribe("presence-cache-x", "2")
    assert event["data"] == "kept"


def test_the_last_event_is_forgotten_after_its_time(world: World, client: Client) -> None:
    world.publish("cache-x")
    client.send("pusher:ping")
    world.clock.advance(3600)
    assert [frame["event"] for frame in world.connect().subscribe("cache-x")] == [SUCCEEDED, "pusher:cache_miss"]


def test_leaving_is_not_answered_and_ends_delivery(world: World, client: Client) -> None:
    client.subscribe("news")
    assert client.unsubscribe("news") == []
    world.publish("news")
    assert client.take() == []


@pytest.mark.parametrize("name", ["news", "private-x", "presence-x", "a b", "", "#server-to-user-1"])
def test_leaving_what_was_not_joined_does_nothing_to_anybody(world: World, client: Client, name: str) -> None:
    other = world.connect()
    other.subscribe("news")
    other.subscribe("presence-x", "1")
    client.subscribe("sport")
    assert client.unsubscribe(name) == []
    assert other.take() == []
    assert world.queries.users(world.app.id, "presence-x") == ["1"]


def test_a_sign_in_answers_with_its_data_in_an_object(world: World, client: Client) -> None:
    (frame,) = client.sign_in("7", user_info={"name": "A"})
    user_data = '{"id": "7", "user_info": {"name": "A"}}'
    assert frame == {"event": "pusher:signin_success", "data": {"user_data": user_data}}
    assert world.hub.is_online(world.app.id, "7")


def test_a_sign_in_needs_an_app_with_user_authentication() -> None:
    world = World()
    client = world.connect()
    (frame,) = client.sign_in("7")
    assert (frame["event"], frame["data"]["code"]) == ("pusher:error", 4009)
    assert "disabled for this app (enable_user_authentication of the app)" in frame["data"]["message"]
    assert client.connection.is_open
    assert not world.hub.is_online(world.app.id, "7")


@pytest.mark.parametrize(
    "user_data",
    ["{", "{}", '{"id":true}', '{"id":1e400}', '{"id":[7]}', '{"id":""}', '{"id":"7","watchlist":1}', ""],
)
def test_a_signed_sign_in_that_identifies_nobody_ends_the_connection(client: Client, user_data: str) -> None:
    auth = f"{KEY}:{sign(f'{client.socket_id}::user::{user_data}', SECRET)}"
    (frame,) = client.send("pusher:signin", {"auth": auth, "user_data": user_data})
    assert frame["data"]["code"] == 4009
    assert [code for code, _ in client.wire.closed] == [4009]


def test_a_sign_in_with_a_wrong_signature_ends_the_connection(world: World) -> None:
    user_data = '{"id":"7"}'
    for wrong in ("{}:{}::user::x", "{}:{}"):
        client = world.connect()
        text = wrong.format(KEY, client.socket_id)
        (frame,) = client.send("pusher:signin", {"auth": f"{KEY}:{sign(text, SECRET)}", "user_data": user_data})
        assert frame["data"] == {"code": 4009, "message": "Connection not authorized for signin: invalid signature"}
        assert not client.connection.is_open
    assert not world.hub.is_online(world.app.id, "7")


def test_signatures_without_key_or_with_user_are_no_auth(world: World) -> None:
    for form in ("{signature}", "{key}::user::{signature}"):
        client = world.connect()
        signature = sign(client.socket_id + '::user::{"id":"7"}', SECRET)
        auth = form.format(key=KEY, signature=signature)
        client.send("pusher:signin", {"auth": auth, "user_data": '{"id":"7"}'})
        assert not client.connection.is_open


def test_signing_in_again_as_the_same_user_succeeds_again(world: World, client: Client) -> None:
    client.sign_in("7")
    assert [frame["event"] for frame in client.sign_in("7")] == ["pusher:signin_success"]
    client.leave()
    assert not world.hub.is_online(world.app.id, "7")


def test_signing_in_again_replaces_whom_the_user_watches() -> None:
    world = World(make_app(enable_user_authentication=True, enable_watchlist_events=True))
    client = world.connect()
    for watched in ("8", "9"):
        states, success = client.sign_in("7", watchlist=[watched])
        assert data_of(states) == {"events": [{"name": "offline", "user_ids": [watched]}]}
        assert success["event"] == "pusher:signin_success"
    world.connect().sign_in("8")
    assert client.take() == []
    world.connect().sign_in("9")
    assert client.events() == ["pusher_internal:watchlist_events"]


def test_signing_in_as_another_is_refused_and_keeps_the_first(world: World, client: Client) -> None:
    client.sign_in("7")
    (frame,) = client.sign_in("8")
    assert frame["data"] == {"code": 4009, "message": "Connection is already signed in as another user"}
    assert client.connection.is_open
    assert world.hub.is_online(world.app.id, "7")
    assert not world.hub.is_online(world.app.id, "8")


def test_only_the_user_may_subscribe_to_the_users_own_channel(world: World, client: Client) -> None:
    for name in ("#server-to-user-7", "#server-to-user-"):
        error = rejected(client, client.subscribe(name))
        assert (error["type"], error["status"]) == ("AuthError", 401)
    client.sign_in("7")
    assert client.subscribe("#server-to-user-7") == [{"event": SUCCEEDED, "channel": "#server-to-user-7", "data": "{}"}]
    assert rejected(client, client.subscribe("#server-to-user-8"))["type"] == "AuthError"


def test_a_users_channel_is_listed_nowhere_and_delivers_once(world: World, client: Client) -> None:
    client.sign_in("7")
    client.subscribe("#server-to-user-7")
    assert list(world.queries.channel_names(world.app.id)) == []
    world.publish("#server-to-user-7")
    assert client.events() == ["event"]


def test_only_what_needed_a_signature_authorises(world: World) -> None:
    for name, user_id, authorised in (
        ("news", None, False),
        ("cache-x", None, False),
        ("private-x", None, True),
        ("presence-x", "1", True),
    ):
        client = world.connect()
        client.subscribe(name, user_id)
        assert client.connection.authorised is authorised
