from __future__ import annotations

import asyncio

import pytest

from sockudo.api.messages import Request, Response
from sockudo.cache.base import Cached
from sockudo.eventual import Future
from tests.clients.api import Api, error_of, json_of
from tests.fakes.eventual import AskedCache, answer


def api_with(count: int, prefix: str = "news", cache: AskedCache | None = None, max_bytes: int = 100_000) -> Api:
    """Return an API with one client on many channels."""
    api = Api(cache=cache, max_answer_bytes=max_bytes)
    client = api.world.connect()
    for number in range(count):
        client.say("pusher:subscribe", {"channel": f"{prefix}-{number}"})
    return api


async def got(api: Api, path: str, **params: str) -> Response:
    """GET a path, and let the loop turn until the answer is there."""
    path = f"/apps/1{path}"
    answered = api.routes.handle(Request("GET", path, api.query("GET", path, params=params)))
    while isinstance(answered, Future) and not answered.done():
        api.world.clock.run_soon()
        await asyncio.sleep(0)
    return await answer(answered)


async def test_many_channels_are_told_of_whole() -> None:
    api = api_with(999)
    channels = json_of(await got(api, "/channels", info="subscription_count"))["channels"]
    assert channels == {f"news-{number}": {"subscription_count": 1} for number in range(999)}
    channels = json_of(await got(api, "/channels", filter_by_prefix="news-99"))["channels"]
    assert list(channels) == ["news-99", *(f"news-{number}" for number in range(990, 999))]
    assert json_of(await got(api, "/channels", filter_by_prefix="other")) == {"channels": {}}


async def test_a_channel_that_is_left_meanwhile_is_left_out() -> None:
    api = api_with(400)
    path = "/apps/1/channels"
    answered = api.routes.handle(Request("GET", path, api.query("GET", path)))
    assert isinstance(answered, Future)
    for client in list(api.world.hub.connections()):
        api.world.node.disconnect(client)
    while not answered.done():
        api.world.clock.run_soon()
        await asyncio.sleep(0)
    assert json_of(answered.result()) == {"channels": {}}


@pytest.mark.parametrize("count", [30, 1000])
async def test_an_answer_above_the_limit_names_it_and_the_remedy(count: int) -> None:
    api = api_with(count, max_bytes=300)
    status, text = error_of(await got(api, "/channels"))
    assert status == 400
    assert "the limit of 300 bytes (http_api.response_limit_in_mb)" in text
    assert "filter_by_prefix" in text
    assert json_of(await got(api, "/channels", filter_by_prefix="news-29")) is not None


async def test_a_shared_cache_is_asked_for_few_channels_at_once() -> None:
    cache = AskedCache()
    api = api_with(0, cache=cache)
    client = api.world.connect()
    names = [f"cache-{number}" for number in range(40)]
    for name in names:
        client.say("pusher:subscribe", {"channel": name})
        await cache.questions.answer(None)
    path = "/apps/1/channels"
    answered = api.routes.handle(Request("GET", path, api.query("GET", path, params={"info": "cache"})))
    assert isinstance(answered, Future)
    asked: list[int] = []
    while not answered.done():
        api.world.clock.run_soon()
        asked.append(len(cache.questions.open))
        while cache.questions.open:
            await cache.questions.answer(Cached(b'{"data":"x"}', 7))
        await asyncio.sleep(0)
    assert max(asked) == 16
    assert json_of(answered.result())["channels"] == {name: {"cache": {"data": "x", "ttl": 7}} for name in names}
