from __future__ import annotations

import pytest

from tests.clients.api import Api, error_of, header, json_of
from tests.fakes.node import make_app


@pytest.fixture
def api() -> Api:
    """An API with users 1 and 2 on presence-x, user 1 twice, and one connection on news and private-y."""
    return occupied(Api())


def occupied(api: Api) -> Api:
    for user_id in ("1", "1", "2"):
        api.world.connect().subscribe("presence-x", user_id)
    client = api.world.connect()
    client.subscribe("news")
    client.subscribe("private-y")
    return api


def test_occupied_channels_are_listed(api: Api) -> None:
    assert json_of(api.get("/channels")) == {"channels": {"presence-x": {}, "news": {}, "private-y": {}}}


def test_without_channels_the_list_is_an_object_too() -> None:
    assert Api().get("/channels").body == b'{"channels":{}}'


def test_the_list_can_be_filtered_by_prefix(api: Api) -> None:
    assert json_of(api.get("/channels", filter_by_prefix="pr")) == {"channels": {"presence-x": {}, "private-y": {}}}
    assert json_of(api.get("/channels", filter_by_prefix="x")) == {"channels": {}}


def test_asked_for_attributes_come_with_each_channel_and_drop_none(api: Api) -> None:
    found = json_of(api.get("/channels", info="subscription_count,occupied"))["channels"]
    assert found == {
        "presence-x": {"occupied": True, "subscription_count": 3},
        "news": {"occupied": True, "subscription_count": 1},
        "private-y": {"occupied": True, "subscription_count": 1},
    }


def test_users_are_counted_where_only_presence_channels_are_asked_for(api: Api) -> None:
    answer = api.get("/channels", info="user_count", filter_by_prefix="presence-")
    assert json_of(answer) == {"channels": {"presence-x": {"user_count": 2}}}
    for prefix in ({}, {"filter_by_prefix": "presence"}, {"filter_by_prefix": "pr"}):
        status, text = error_of(api.get("/channels", info="user_count", **prefix))
        assert (status, "Use filter_by_prefix=presence-" in text) == (400, True)


def test_unknown_attributes_are_ignored(api: Api) -> None:
    assert json_of(api.get("/channels", info="unknown"))["channels"]["news"] == {}


def test_channels_of_another_app_are_not_listed() -> None:
    api = Api(make_app(), make_app(id="other", key="other-key"))
    api.world.connect(key="other-key").subscribe("news")
    assert json_of(api.get("/channels")) == {"channels": {}}


def test_the_channels_of_users_are_not_listed() -> None:
    api = Api(make_app(enable_user_authentication=True))
    client = api.world.connect()
    client.sign_in("7")
    client.subscribe("#server-to-user-7")
    assert json_of(api.get("/channels")) == {"channels": {}}


def test_one_channel_tells_whether_it_is_occupied(api: Api) -> None:
    assert json_of(api.get("/channels/news")) == {"occupied": True}
    assert json_of(api.get("/channels/empty")) == {"occupied": False}


def test_one_channel_tells_what_is_asked(api: Api) -> None:
    assert json_of(api.get("/channels/presence-x", info="user_count,subscription_count")) == {
        "occupied": True,
        "user_count": 2,
        "subscription_count": 3,
    }
    assert json_of(api.get("/channels/news", info="subscription_count,cache")) == {
        "occupied": True,
        "subscription_count": 1,
    }
    assert json_of(api.get("/channels/presence-nobody", info="user_count")) == {"occupied": False, "user_count": 0}


def test_users_cannot_be_counted_on_other_channels(api: Api) -> None:
    assert error_of(api.get("/channels/news", info="user_count")) == (
        400,
        "user_count is only available for presence channels",
    )


def test_a_cache_channel_tells_its_last_event_or_null(api: Api) -> None:
    assert json_of(api.get("/channels/cache-x", info="cache")) == {"occupied": False, "cache": None}
    api.world.publish("cache-x", "data")
    assert json_of(api.get("/channels/cache-x", info="cache")) == {
        "occupied": False,
        "cache": {"data": "data", "ttl": 3600},
    }


def test_a_name_may_be_escaped(api: Api) -> None:
    assert json_of(api.get("/channels/presence%2Dx")) == {"occupied": True}


@pytest.mark.parametrize("path", ["/channels/a%20b", "/channels/a%20b/users", "/channels/a%20b/stats", "/channels/%FF"])
def test_a_bad_name_is_refused(api: Api, path: str) -> None:
    assert error_of(api.get(path))[0] == 400


def test_a_name_over_the_limit_is_refused(api: Api) -> None:
    assert json_of(api.get("/channels/" + "x" * 100)) == {"occupied": False}
    assert error_of(api.get("/channels/" + "x" * 101))[0] == 400


def test_presence_users_are_listed_once_each_with_text_ids(api: Api) -> None:
    api.world.connect().subscribe("presence-x", 10)
    assert json_of(api.get("/channels/presence-x/users")) == {"users": [{"id": "1"}, {"id": "2"}, {"id": "10"}]}
    assert json_of(api.get("/channels/presence-nobody/users")) == {"users": []}


def test_other_channels_have_no_users(api: Api) -> None:
    assert error_of(api.get("/channels/news/users")) == (400, "Only presence channels support this endpoint")


def test_the_deprecated_stats_tell_every_count(api: Api) -> None:
    assert json_of(api.get("/channels/presence-x/stats")) == {
        "occupied": True,
        "user_count": 2,
        "subscription_count": 3,
    }
    assert json_of(api.get("/channels/empty/stats")) == {"occupied": False, "subscription_count": 0}


def test_an_empty_channel_may_be_answered_with_404() -> None:
    api = occupied(Api(unknown_channel_not_found=True))
    for path in ("/channels/empty", "/channels/presence-nobody/users"):
        status, text = error_of(api.get(path))
        assert (status, "(http_api.unknown_channel_not_found)" in text) == (404, True)
    assert json_of(api.get("/channels/news")) == {"occupied": True}
    assert json_of(api.get("/channels/presence-x/users"))["users"]


@pytest.mark.parametrize("path", ["/channels", "/channels/news", "/channels/presence-x/users", "/channels/news/stats"])
def test_questions_over_the_quota_of_an_app_are_429(path: str) -> None:
    api = Api(make_app(max_read_requests_per_second=2))
    assert [api.get(path).status for _ in range(2)] == [200, 200]
    response = api.get(path)
    assert error_of(response) == (
        429,
        "Too Many Requests: the limit is 2 a second (max_read_requests_per_second of the app)",
    )
    assert header(response, "Retry-After") == "1"
    assert api.post("/events", {"name": "e", "channel": "news", "data": "d"}).status == 200
    api.world.clock.advance(1)
    assert api.get(path).status == 200
