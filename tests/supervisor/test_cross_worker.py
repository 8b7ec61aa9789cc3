"""`sockudo serve --workers 2` as one server: its clients are on different workers, and cannot tell."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.clients.raw import HttpConnection
from tests.servers.server import app
from tests.servers.workers import WorkersProcess, owner, workers_process
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

ROOM = "presence-room"
USERS = app(enable_user_authentication=True, enable_watchlist_events=True)
MOST_TRIES = 200


@dataclass(frozen=True)
class Pair:
    """Two workers, and how to reach the one or the other: who lands on the wrong one connects again."""

    server: WorkersProcess
    pids: list[int]
    stack: contextlib.AsyncExitStack

    async def client(self, worker: int) -> PusherClient:
        """Return a client of one of the workers."""
        for _ in range(MOST_TRIES):
            client = PusherClient(self.server.port)
            await self.stack.enter_async_context(client)
            if owner(self.server.port, client.local_port, self.pids) == self.pids[worker]:
                return client
            await client.close()
        raise AssertionError("one worker gets every connection")

    async def ask(self, worker: int, path: str, body: object = None, **params: str) -> Any:
        """Let one of the workers answer a question of a back end, or with a body do what it says."""
        for _ in range(MOST_TRIES):
            async with HttpConnection(self.server.port) as connection:
                # Until it is asked something, nobody need have accepted it.
                assert (await connection.request("GET", "/up")).status == 200
                if owner(self.server.port, connection.local_port, self.pids) == self.pids[worker]:
                    method, data = ("GET", b"") if body is None else ("POST", json.dumps(body).encode())
                    target = ApiClient(self.server.port).target(method, path, data, params)
                    answer = await connection.request(method, target, data)
                    assert answer.status == 200, answer
                    return answer.json()
        raise AssertionError("one worker gets every connection")

    async def both_say(self, path: str, expected: object, **params: str) -> None:
        """Wait until both workers give this answer."""

        async def answers() -> list[Any]:
            return [await self.ask(worker, path, **params) for worker in range(2)]

        await eventually(answers, [expected, expected])


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """Two workers, started by the real command."""
    array = {"array": {"apps": [USERS]}}
    async with workers_process(tmp_path, "--workers", "2", app_manager=array) as server:
        await server.greeted()
        async with contextlib.AsyncExitStack() as stack:
            yield Pair(server, server.pids, stack)


async def test_an_event_taken_by_either_worker_reaches_all_clients(pair: Pair) -> None:
    clients = [await pair.client(worker) for worker in (0, 1)]
    for client in clients:
        await client.subscribe("news")
    for worker in (0, 1):
        await pair.ask(worker, "/events", {"name": "e", "channel": "news", "data": "x"})
        for client in clients:
            assert await client.receive() == {"event": "e", "channel": "news", "data": "x"}


async def test_members_and_counts_are_those_of_both_workers(pair: Pair) -> None:
    ann, bob, tab = [await pair.client(worker) for worker in (0, 1, 1)]
    await ann.subscribe(ROOM, {"user_id": "ann"})
    await pair.both_say(f"/channels/{ROOM}/users", {"users": [{"id": "ann"}]})
    roster = json.loads((await bob.subscribe(ROOM, {"user_id": "bob"}))["data"])["presence"]
    assert sorted(roster["ids"]) == ["ann", "bob"]
    assert json.loads((await ann.expect("pusher_internal:member_added"))["data"])["user_id"] == "bob"
    await tab.subscribe(ROOM, {"user_id": "ann"})
    asked = {"occupied": True, "user_count": 2, "subscription_count": 3}
    await pair.both_say(f"/channels/{ROOM}", asked, info="user_count,subscription_count")
    await ann.close()
    asked = {"occupied": True, "user_count": 2, "subscription_count": 2}
    await pair.both_say(f"/channels/{ROOM}", asked, info="user_count,subscription_count")
    # Ann is still there, in her tab.
    await bob.expect_nothing()


async def test_terminating_a_user_ends_his_connections_on_the_other_worker(pair: Pair) -> None:
    ann = await pair.client(1)
    await ann.sign_in("ann")
    await ann.expect("pusher:signin_success")
    await pair.ask(0, "/users/ann/terminate_connections", {})
    assert (await ann.expect_end())[0] == 4009


async def test_a_watcher_hears_of_sign_ins_on_the_other_worker(pair: Pair) -> None:
    watcher, bob = [await pair.client(worker) for worker in (0, 1)]
    await watcher.sign_in("ann", watchlist=["bob"])
    assert await _changes(watcher) == [{"name": "offline", "user_ids": ["bob"]}]
    await watcher.expect("pusher:signin_success")
    await bob.sign_in("bob")
    assert await _changes(watcher) == [{"name": "online", "user_ids": ["bob"]}]
    await bob.close()
    assert await _changes(watcher) == [{"name": "offline", "user_ids": ["bob"]}]


async def _changes(client: PusherClient) -> Any:
    return json.loads((await client.expect("pusher_internal:watchlist_events"))["data"])["events"]


async def test_members_of_a_killed_worker_leave_once(pair: Pair) -> None:
    stays, goes, tab, leaves = [await pair.client(worker) for worker in (0, 1, 1, 1)]
    await stays.subscribe(ROOM, {"user_id": "stays"})
    for client, user_id in ((goes, "goes"), (tab, "stays"), (leaves, "leaves")):
        await client.subscribe(ROOM, {"user_id": user_id})
    for _ in range(2):
        await stays.expect("pusher_internal:member_added")
    os.kill(pair.pids[1], signal.SIGKILL)
    gone = [json.loads((await stays.expect("pusher_internal:member_removed"))["data"])["user_id"] for _ in range(2)]
    assert sorted(gone) == ["goes", "leaves"]
    ready = await pair.server.logged("worker ready", 3)
    again = Pair(pair.server, [pair.pids[0], ready[-1]["pid"]], pair.stack)
    await again.both_say(f"/channels/{ROOM}", {"occupied": True, "subscription_count": 1}, info="subscription_count")
    back = await again.client(1)
    roster = json.loads((await back.subscribe(ROOM, {"user_id": "back"}))["data"])["presence"]
    assert sorted(roster["ids"]) == ["back", "stays"]
    assert json.loads((await stays.expect("pusher_internal:member_added"))["data"])["user_id"] == "back"
    await stays.expect_nothing()


@dataclass
class Posts:
    """Numbered events, posted one after the other until told to stop. `begun` are those that may be accepted."""

    port: int
    begun: int = 0
    is_over: bool = False
    problems: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Post; each event is accepted or is a problem."""
        api = ApiClient(self.port)
        while not self.is_over:
            number, self.begun = self.begun, self.begun + 1
            try:
                await api.trigger("news", number)
            except Exception as problem:
                self.problems.append(repr(problem))


@dataclass
class Session:
    """What a client has got from its subscription to its end.

    Attributes:
        due: the first event that it must not miss.
        is_whole: whether it has lasted until everything was posted.
    """

    due: int
    numbers: list[int] = field(default_factory=list)
    is_whole: bool = False

    def problems(self, posted: int) -> list[str]:
        """Name what is missing in it, or was got twice. Events that different workers took have no order."""
        last = posted - 1 if self.is_whole else max(self.numbers, default=self.due - 1)
        missing = set(range(self.due, last + 1)) - set(self.numbers)
        found = [f"{sorted(missing)} are missing from {self}"] if missing else []
        return found if len(set(self.numbers)) == len(self.numbers) else [*found, f"some came twice in {self}"]


async def _follow(port: int, posts: Posts, sessions: list[Session], subscribed: Callable[[], object]) -> None:
    """Be subscribed, again whenever sent away, until everything was posted."""
    while True:
        async with PusherClient(port) as client:
            await client.ask_for("news")
            frame = await client.receive()
            if frame["event"] == "pusher_internal:subscription_succeeded":
                session = Session(posts.begun)
                sessions.append(session)
                subscribed()
                while (frame := await client.receive())["event"] == "event":
                    session.numbers.append(int(frame["data"]))
                if frame["event"] == "end":
                    session.is_whole = True
                    return
            assert frame["data"]["code"] == 4200, frame


async def test_replacing_the_workers_under_load_loses_no_accepted_event(tmp_path: Path) -> None:
    async with workers_process(tmp_path, workers=2, shutdown_grace_period=2) as server:
        await server.greeted()
        posts, sessions = Posts(server.port), list[Session]()
        joined = asyncio.Semaphore(0)
        following = [asyncio.create_task(_follow(server.port, posts, sessions, joined.release)) for _ in range(8)]
        for _ in following:
            await joined.acquire()
        posting = asyncio.create_task(posts.run())
        server.send(signal.SIGHUP)
        await server.logged("workers: all replaced")
        posts.is_over = True
        await posting
        # Again, for who was on his way to another worker.
        while not all(follower.done() for follower in following):
            await ApiClient(server.port).trigger("news", "", name="end")
            await asyncio.wait(following, timeout=0.1)
        await asyncio.gather(*following)
    assert posts.problems == []
    assert posts.begun > 50
    assert [problem for session in sessions for problem in session.problems(posts.begun)] == []
    assert len(sessions) > len(following), "nobody was sent away"
    assert sum(len(session.numbers) for session in sessions) > posts.begun
