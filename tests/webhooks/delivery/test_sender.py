from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import pytest

from sockudo.apps.app import App
from sockudo.apps.webhook import Function, Webhook
from sockudo.cluster.messages.state import Delivered
from sockudo.errors import DriverError, MissingExtraError
from sockudo.queues.base import Delivery, Done, Failed, Outcome, Retry
from sockudo.webhooks.delivery.functions import Functions
from sockudo.webhooks.delivery.job import encode_job
from sockudo.webhooks.delivery.policy import RetryPolicy
from sockudo.webhooks.delivery.post_error import PostError
from sockudo.webhooks.delivery.sender import Invoker, Sender
from tests.fakes.clock import FakeClock
from tests.fakes.node import APP_ID, KEY, make_app

EVENTS = frozenset({"client_event"})
HOOK = Webhook("http://user:pass@x/", EVENTS, headers={"X-Custom": "1", "x-pusher-key": "no", "connection": "no"})
FUNCTION = Webhook(None, EVENTS, Function("f"))
APP = make_app(webhooks=(HOOK, FUNCTION, Webhook("http://user:pass@x/", EVENTS, headers={"X-Custom": "2"})))


class Endpoints:
    """What would be HTTP and AWS."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.invocations: list[tuple[Function, bytes]] = []
        self.error: PostError | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.posts.append((url, body, headers))
        if self.error is not None:
            raise self.error
        return 200

    async def invoke(self, function: Function, body: bytes) -> None:
        self.invocations.append((function, body))
        if self.error is not None:
            raise self.error

    async def aclose(self) -> None:
        pass


class Apps:
    def __init__(self) -> None:
        self.app: App | None = APP
        self.error: DriverError | None = None
        self.changed: App | None = None
        self.forgotten = 0

    def known(self, app_id: str) -> App | None:
        return self.app

    def forget(self, app_id: str) -> None:
        assert app_id == APP_ID
        self.forgotten += 1
        self.app = self.changed or self.app

    def by_id(self, app_id: str) -> App | asyncio.Future[App | None] | None:
        assert app_id == APP_ID
        future: asyncio.Future[App | None] = asyncio.get_running_loop().create_future()
        if self.error is not None:
            future.set_exception(self.error)
            return future
        return self.app


class World:
    def __init__(self, max_attempts: int = 9, concurrency: int = 20) -> None:
        self.clock, self.endpoints, self.apps = FakeClock(), Endpoints(), Apps()
        self.told: list[Delivered] = []
        policy = RetryPolicy(max_attempts)
        self.sender = Sender(self.apps, self.endpoints, self.endpoints, self.clock, policy, concurrency)
        self.sender.listener = self.told.append

    async def deliver(self, webhook: Webhook = HOOK, attempt: int = 1, job: bytes | None = None) -> Outcome:
        now_ms = int(self.clock.now() * 1000)
        job = encode_job(APP_ID, webhook.id, now_ms, [b'{"name":"client_event"}']) if job is None else job
        return await self.sender(Delivery("lane", job, attempt, self.clock.now()))


async def test_a_job_is_posted_signed_to_the_apps_current_url() -> None:
    world = World()
    assert await world.deliver() == Done()
    ((url, body, headers),) = world.endpoints.posts
    assert url == HOOK.url
    assert json.loads(body) == {"time_ms": 1_700_000_000_000, "events": [{"name": "client_event"}]}
    assert headers == {
        "X-Custom": "1",
        "Content-Type": "application/json",
        "X-Pusher-Key": KEY,
        "X-Pusher-Signature": APP.signer.sign(body),
    }
    assert world.told == [Delivered(world.clock.now(), APP_ID, HOOK.id, ["client_event"], 1, 0.0, "delivered")]


async def test_a_function_gets_the_same_body() -> None:
    world = World()
    assert await world.deliver(FUNCTION) == Done()
    ((function, body),) = world.endpoints.invocations
    assert function == Function("f")
    assert json.loads(body)["events"] == [{"name": "client_event"}]


async def test_a_failure_is_tried_again_and_then_given_up() -> None:
    world = World(max_attempts=2)
    world.endpoints.error = PostError("answered 500")
    outcome = await world.deliver()
    assert isinstance(outcome, Retry)
    assert await world.deliver(attempt=2) == Failed("answered 500 (attempt 2, the last)")
    assert [(one.result, one.reason) for one in world.told] == [("retry", "answered 500"), ("failed", "answered 500")]
    counters = world.sender.counters
    assert (counters.delivered, counters.retried, counters.failed, counters.events) == (0, 1, 1, 0)


async def test_apps_that_cannot_be_fetched_are_an_ordinary_failure() -> None:
    world = World()
    world.apps.error = DriverError("the database is away (database.mysql)")
    assert isinstance(await world.deliver(), Retry)
    assert world.endpoints.posts == []


async def test_an_undeliverable_job_is_given_up_at_once() -> None:
    world = World()
    assert await world.deliver(Webhook("http://other/", EVENTS)) == Failed(
        "the app has no webhook with this endpoint any more"
    )
    assert await world.deliver(job=b"?") == Failed("it is no job of this server")
    world.apps.app = None
    assert await world.deliver() == Failed("the app does not exist any more")
    late = Delivery("lane", encode_job(APP_ID, HOOK.id, 0, []), 1, world.clock.now() - 300)
    assert isinstance(await world.sender(late), Failed)
    assert world.endpoints.posts == []


async def test_a_webhook_unknown_to_this_node_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world, new = World(), Webhook("http://new/", EVENTS)
    world.apps.changed = make_app(webhooks=(new,))
    assert await world.deliver(new) == Done()
    assert [url for url, *_ in world.endpoints.posts] == ["http://new/"]
    assert "webhook" not in capsys.readouterr().out
    # What is no more is asked for once a second, however much waits for it.
    for _ in range(3):
        assert isinstance(await world.deliver(HOOK), Failed)
    assert world.apps.forgotten == 1
    world.clock.advance(1)
    assert isinstance(await world.deliver(HOOK), Failed)
    assert world.apps.forgotten == 2


async def test_what_waited_too_long_for_other_requests_is_given_up() -> None:
    world, over = World(concurrency=1), asyncio.Event()

    async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
        world.endpoints.posts.append((url, body, headers))
        await over.wait()
        return 200

    world.endpoints.post = post  # type: ignore[method-assign]  # an endpoint that takes its time
    first = asyncio.create_task(world.deliver())
    second = asyncio.create_task(world.deliver())
    for _ in range(3):
        await asyncio.sleep(0)
    world.clock.set_now(world.clock.now() + 291)
    over.set()
    assert await first == Done()
    assert isinstance(await second, Failed)
    assert len(world.endpoints.posts) == 1


async def test_what_is_logged_has_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    world = World(max_attempts=1)
    world.endpoints.error = PostError("answered 500")
    await world.deliver()
    logged = capsys.readouterr().out
    assert "webhook given up" in logged
    for secret in ("app-secret", "pass", "http://"):
        assert secret not in logged


async def test_a_function_without_its_library_fails_and_says_so() -> None:
    made: list[Invoker] = []
    endpoints = Endpoints()

    def make() -> Invoker:
        if not made:
            made.append(endpoints)
            raise MissingExtraError("the lambda of a webhook needs x: pip install 'sockudo[lambda]'")
        return endpoints

    functions = Functions(make)
    await functions.aclose()
    with pytest.raises(PostError, match=r"sockudo\[lambda\]"):
        await functions.invoke(Function("f"), b"1")
    await functions.invoke(Function("f"), b"2")
    assert endpoints.invocations == [(Function("f"), b"2")]
    await functions.aclose()
